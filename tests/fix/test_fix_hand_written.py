"""A new call overrides no call that someone wrote and that no finding reports."""

import pytest

import initlint

LIST = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(64, 64)
        self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(6)])
        self.head = nn.Linear(64, 10)
        CALL

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)
"""
BLOCKS = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, special=False):
        super().__init__()
        self.fc = nn.Linear(64, 64)
        if special:
            nn.init.normal_(self.fc.weight, 0, 0.15)

    def forward(self, x):
        return torch.relu(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(Block(), Block(), Block(), Block(), Block(THIRD), nn.Linear(64, 9))
        CALL

    def forward(self, x):
        return self.net(x)
"""
INIT = """

def init(module):
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


a = Net()
a.apply(init)
b = Net()
"""
NORMAL = "nn.init.normal_(self.layers[{}].weight, 0, {})"


@pytest.mark.parametrize("std", [0.15, 0.001])
@pytest.mark.parametrize(("index", "others"), [(0, "[1:]"), (-1, "[:-1]")])
def test_a_loop_leaves_out_what_a_call_fills(index, others, std):
    source = LIST.replace("CALL", NORMAL.format(index, std))
    fixed = initlint.fix(source).source
    assert f"for layer in self.layers{others}:" in fixed
    assert NORMAL.format(index, std) in fixed


@pytest.mark.parametrize(
    "call",
    [
        NORMAL.format(2, 0.15),
        "nn.init.orthogonal_(self.layers[2].weight, 1.4)",
        'nn.init.kaiming_uniform_(self.layers[2].weight, nonlinearity="relu")',
    ],
)
def test_refused_where_no_slice_leaves_it_out(call):
    source = LIST.replace("CALL", call)
    fixed = initlint.fix(source)
    assert fixed.source == source
    assert "layers[2].weight, which stays as it is" in fixed.refused[0][1]


def test_refused_where_one_call_would_override_another():
    source = BLOCKS.replace("THIRD", "True").replace("CALL", "")
    fixed = initlint.fix(source)
    assert fixed.source == source
    assert fixed.refused[0][1] == "the new call would override the one that fills net.4.fc.weight"


@pytest.mark.parametrize(
    "source",
    [
        # Written after it: by the model around it, or by the code that makes the model.
        BLOCKS.replace("CALL", "nn.init.normal_(self.net[2].fc.weight, 0, 0.15)"),
        BLOCKS.replace("CALL", "") + INIT,
        LIST.replace("CALL", "") + INIT,
        # The call that is reported fills all of them.
        LIST.replace(
            "CALL", "for layer in self.layers:\n            nn.init.xavier_normal_(layer.weight)"
        ),
    ],
)
def test_a_call_that_overrides_none_is_written(source):
    fixed = initlint.fix(source.replace("THIRD", ""))
    assert fixed.refused == () and fixed.diff.count("\n+") >= 1
    assert fixed.findings == ()
