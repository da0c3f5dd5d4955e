"""The prediction compares a run as it is with the run that the fixes would leave."""

import pytest

from initlint import api

TANH = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
        )
        {fill}

    def forward(self, x):
        return self.net(x)
"""
FILLS = {
    "default": ("pass", {"INIT103"}),
    "gain 1, which is accepted": ("nn.init.xavier_uniform_(self.net[2].weight)", set()),
    "gain 5/3": ("nn.init.xavier_uniform_(self.net[2].weight, gain=5 / 3)", set()),
}


@pytest.mark.parametrize(("fill", "expected"), FILLS.values(), ids=FILLS)
def test_a_run_is_compared_with_what_a_fix_would_write(fill, expected, tmp_path):
    """Before tanh 5/3 is written, though gain 1 is accepted: default is 2.2 times off from that."""
    path = tmp_path / "net.py"
    path.write_text(TANH.format(fill=fill))
    found = api.check_all([str(path)], api.Options()).findings
    assert {finding.code for finding in found} == expected


RAW = """\
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(4, 32, 8, 4)
        self.b = nn.Conv2d(32, 64, 4, 2)
        self.mu = nn.Parameter(torch.randn(64, 64) / 8)
        self.sigma = nn.Parameter(torch.full((64, 64), 0.05))

    def forward(self, x):
        x = F.relu(self.b(F.relu(self.a({data})))).mean((2, 3))
        return F.linear(x, self.mu + self.sigma * torch.randn(64, 64))
"""


@pytest.mark.parametrize("data", ["x", "x / 255", "x / 255.0", "x * 0.01"])
def test_a_run_ends_at_a_computed_weight_and_begins_at_any_scale(tmp_path, data):
    path = tmp_path / "net.py"
    path.write_text(RAW.format(data=data))
    found = api.check_all([str(path)], api.Options()).findings
    assert [(f.code, f.layer) for f in found] == [("INIT101", "b")]
