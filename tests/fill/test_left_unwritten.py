"""What `initlint apply` says of a model that leaves memory unwritten: all names, every time."""

import pytest

from initlint.cli.main import main

pytestmark = pytest.mark.torch

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.shift = nn.Parameter(torch.empty(8))
        self.scale = nn.Parameter(torch.Tensor(8))
        self.table = nn.Parameter(torch.empty(8, 8))
        self.register_buffer("mean", torch.empty(8))
        self.none = nn.Parameter(torch.empty(0))
        self.zero = nn.Parameter(torch.zeros(8))
        {lines}

    def forward(self, x):
        return (self.fc(x - self.mean) * self.scale + self.shift + self.zero) @ self.table


def factory():
    net = Net().to_empty(device="cpu")
    nn.init.zeros_(net.zero)
    return net
"""
WRITES = "for each in (self.shift, self.scale):\n            nn.init.ones_(each)"


def run(tmp_path, capsys, lines, *options, name="Net"):
    path = tmp_path / "net.py"
    path.write_text(NET.replace("{lines}", lines))
    code = main(["apply", f"{path}:{name}", *options])
    return code, capsys.readouterr().err


def test_all_names_are_told(tmp_path, capsys):
    code, told = run(tmp_path, capsys, "pass")
    assert code == 2 and "3 tensors" in told and "(shift, scale, mean)" in told


def test_only_what_is_left(tmp_path, capsys):
    code, told = run(tmp_path, capsys, WRITES)
    assert code == 2 and "1 tensor" in told and "(mean)" in told


def test_all_written(tmp_path, capsys):
    code, told = run(tmp_path, capsys, WRITES + "\n        self.mean.zero_()")
    assert code == 0 and "uninitialised" not in told


def test_memory_of_a_factory(tmp_path, capsys):
    code, told = run(tmp_path, capsys, "pass", name="factory")
    assert code == 2 and "shift" in told and "scale" in told
