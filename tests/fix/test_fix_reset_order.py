"""What --style method writes survives a loop over modules that asks children before parents."""

import pytest
import torch

import initlint

DEEP = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()
        )
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.layers(x))
"""


def filled(modules):
    """The weight of a layer with a finding, fixed, and filled as the docs show."""
    scope = {}
    exec(initlint.fix(DEEP, style="method").source, scope)
    with torch.device("meta"):
        net = scope["Net"]()
    net.to_empty(device="cpu")
    torch.manual_seed(0)
    for module in modules(net):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return net.layers[2].weight


def test_children_first_keeps_what_the_method_wrote():
    weight = filled(lambda net: reversed(list(net.modules())))
    assert float(weight.std()) == pytest.approx(0.25, rel=0.1)


def test_parents_first_loses_it():
    """The reason why docs/fsdp2.md says so, and why FSDP1 cannot call it."""
    weight = filled(lambda net: net.modules())
    assert float(weight.std()) == pytest.approx(0.25 / 6**0.5, rel=0.1)
