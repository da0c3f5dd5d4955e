"""A star import brings what the file has that it names; from outside, what is known to be there."""

from pathlib import Path

import pytest

from initlint import api

NET = """\
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))))
"""
TRAIN = """\
from {} import *

def tiny(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 1e-4)

net = Net()
net.apply(tiny)
"""
FILES = {
    "a file": {"nets.py": NET, "train.py": TRAIN.format("nets")},
    "a package of several": {
        "nets/__init__.py": "from .small import *\nfrom .big import *\n",
        "nets/small.py": "def size(): return 3\n",
        "nets/big.py": NET,
        "train.py": TRAIN.format("nets"),
    },
    "a file that has it from another": {
        "nets.py": NET,
        "common.py": "from nets import *\n",
        "train.py": TRAIN.format("common"),
    },
    "two files in a circle": {
        "nets.py": "from common import *\n" + NET,
        "common.py": "from nets import *\n",
        "train.py": TRAIN.format("common"),
    },
}


def findings(files):
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    return api.check_all(sorted(files), api.Options())


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_a_script_fills_what_a_star_import_brings(folder, files):
    report = findings(files)
    assert [f.code for f in report.findings] == ["INIT106", "INIT106"]
    assert {f.current.site.path for f in report.findings} == {"train.py"}


BODY = """
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
"""
FIT = "learn = Learner(data, net, loss_func=nn.MSELoss())\nlearn.fit(3)\n"


@pytest.mark.parametrize("package", ["fastai.vision.all", "fastai.basics", "fastbook"])
def test_fastai_brings_torch(folder, package):
    report = findings({"lesson.py": f"from {package} import *\n{BODY}{FIT}"})
    assert [f.code for f in report.findings] == ["INIT101"] and not report.unanalysed


def test_a_function_that_only_the_star_import_can_bring_may_fill(folder):
    text = f"from torch import nn\nfrom helpers import *\n{BODY}prepare(net)\n"
    report = findings({"train.py": text})
    (gap,) = report.unanalysed
    assert (
        gap.reason
        == "train.py: net: helpers.prepare gets it at train.py:5, is not read, and may fill it"
    )
    assert not report.findings


def test_a_model_without_a_name_is_listed_if_code_gets_it_that_is_not_read(folder):
    made = BODY.partition("=")[2].strip()
    text = f"from torch import nn\nfrom helpers import prepare\n\nprepare({made})\n"
    report = findings({"train.py": text})
    (gap,) = report.unanalysed
    assert (
        gap.reason
        == "train.py: model: helpers.prepare gets it at train.py:4, is not read, and may fill it"
    )
    assert not report.findings
