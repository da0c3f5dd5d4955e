"""A run inside the folder of a package: its absolute imports begin above the working directory."""

import pytest

import initlint

LAYERS = """\
from torch import nn


def block(width):
    return nn.Sequential(nn.Linear(width, width), nn.ReLU())
"""
NET = """\
from torch import nn
from zoo.{path}layers import block


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 64)
        self.body = nn.Sequential(*[block(64) for _ in range(3)])

    def forward(self, x):
        return self.body(self.first(x).relu())
"""


@pytest.mark.parametrize("inner", ["", "nets"])
@pytest.mark.parametrize("inside", [False, True])
def test_findings_are_the_same_from_inside(inner, inside, tmp_path, monkeypatch):
    folder = tmp_path / "zoo" / inner
    folder.mkdir(parents=True)
    for each in {tmp_path / "zoo", folder}:
        (each / "__init__.py").touch()
    (folder / "layers.py").write_text(LAYERS)
    (folder / "net.py").write_text(NET.format(path=f"{inner}." if inner else ""))
    monkeypatch.chdir(folder if inside else tmp_path)
    found = initlint.check("." if inside else "zoo").findings
    assert {(f.code, f.site.path.rpartition("/")[2]) for f in found} == {("INIT101", "layers.py")}
