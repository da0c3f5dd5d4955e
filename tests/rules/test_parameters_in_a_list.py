"""Weights that a constructor makes one after the other under one name, as MAML's networks have."""

import pytest

import initlint

NET = """\
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.vars = nn.ParameterList()
        for out, into in ((40, 1), (40, 40), (1, 40)):
            w = nn.Parameter(torch.ones(out, into))
            torch.nn.init.kaiming_normal_(w)
            self.vars.append(w)
            self.vars.append(nn.Parameter(torch.zeros(out)))

    def forward(self, x):
        for k in range(3):
            x = F.linear(x, self.vars[2 * k], self.vars[2 * k + 1])
            if k < 2:
                x = F.relu(x)
        return x
"""


@pytest.mark.parametrize("target", ["net.py", pytest.param("net.py:Net", marks=pytest.mark.torch)])
def test_nothing_is_wrong_with_them(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    report = initlint.check(target)
    assert len(report.layers) == 3
    assert report.findings == ()
