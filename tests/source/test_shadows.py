"""Files of the user's that are called like torch: they are not the library."""

import pytest

from initlint.reading import read

NET = """
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.b(F.relu(self.a(x)))
"""


@pytest.mark.parametrize(
    "others",
    [("torch.py",), ("torch/__init__.py",), ("torch/__init__.py", "torch/nn/__init__.py")],
    ids=["a file", "a package", "a package with nn"],
)
@pytest.mark.parametrize("folder", ["", "lib/"])
def test_a_file_called_torch_hides_no_layer(others, folder):
    texts = {f"{folder}{name}": "" for name in others} | {f"{folder}net.py": NET}
    found = read(list(texts), texts)
    assert [layer.following.activation for layer in found.layers] == ["relu", "output"]


def test_files_of_a_package_called_torch_import_one_another():
    source = NET.replace("from torch import nn", "from torch.own import nn")
    texts = {
        "torch/__init__.py": "",
        "torch/own.py": "import torch.nn as nn",
        "torch/net.py": source,
    }
    assert len(read(list(texts), texts).layers) == 2
