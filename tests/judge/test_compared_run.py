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
