"""The layer that sees the data keeps PyTorch's default under the default scope."""

import math

import pytest
import torch
from torch import nn

import initlint


class Field(nn.Module):
    """Its input is encoded by waves, as in a NeRF."""

    def __init__(self, encoded):
        super().__init__()
        self.encoded = encoded
        sizes = (18 if encoded else 2, 64, 64, 64)
        self.layers = nn.ModuleList(nn.Linear(a, 64) for a in sizes)
        self.out = nn.Linear(64, 1)

    def forward(self, x):
        if self.encoded:
            waves = [f(2**k * math.pi * x) for k in range(4) for f in (torch.sin, torch.cos)]
            x = torch.cat([x, *waves], 1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


@pytest.mark.parametrize("encoded", [True, False])
def test_it_is_kept_and_the_deeper_ones_are_filled(encoded):
    model = Field(encoded)
    report = initlint.apply_(model, torch.randn(8, 2), seed=0)
    filled = {one.parameter for one in report.outcomes if one.status == "filled"}
    assert filled == {f"layers.{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")}
    (reason,) = [one.reason for one in report.outcomes if one.parameter == "layers.0.weight"]
    assert "sees the data" in reason
