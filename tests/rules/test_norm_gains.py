"""INIT021: gains that contradict how forward multiplies with them."""

import pytest
from judged import found

ENGINES = [
    pytest.param(False, id="read"),
    pytest.param(True, id="traced", marks=pytest.mark.torch),
]

NET = """\
import torch
import torch.nn.functional as F
from torch import nn


class ScaleNorm(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.weight = nn.Parameter(torch.{begin}(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return {result}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.first = ScaleNorm()
        self.last = ScaleNorm()
        {fill}

    def fill(self, module):
        if isinstance(module, ScaleNorm):
            module.weight.data.fill_({value})

    def forward(self, x):
        return self.last(self.fc(self.first(x)))
"""
APPLY = "self.apply(self.fill)"
ONE_MORE = [
    "normed * (1 + self.weight)",
    "normed.float() * (1.0 + self.weight.float())",
    "(self.weight + 1) * normed",
    "(normed * (1.0 + self.weight[None].to(x.dtype))).type_as(x) + self.bias",
]
ITSELF = [
    "self.weight * normed",
    "self.weight.to(x.dtype) * normed + self.bias",
    "F.layer_norm(x, (8,), self.weight, self.bias, 1e-5)",
]


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize("result", ONE_MORE)
def test_a_gain_of_two(result, trace, tmp_path):
    source = NET.format(begin="zeros", result=result, fill=APPLY, value=1.0)
    (finding,) = found(tmp_path, source, "INIT021", trace)
    assert finding.parameters == ("first.weight", "last.weight")
    source = NET.format(begin="ones", result=result, fill="pass", value=1.0)
    assert found(tmp_path, source, "INIT021", trace)


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize("result", ITSELF)
def test_a_gain_of_zero(result, trace, tmp_path):
    source = NET.format(begin="ones", result=result, fill=APPLY, value=0)
    (finding,) = found(tmp_path, source, "INIT021", trace)
    assert finding.parameters == ("first.weight", "last.weight")


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("begin", "result", "fill", "value"),
    [
        ("zeros", ONE_MORE[0], APPLY, 0),
        ("zeros", ONE_MORE[1], "pass", 0),
        ("ones", ITSELF[0], APPLY, 1.0),
        ("ones", ITSELF[0], "pass", 0),
        ("zeros", ITSELF[0], "pass", 0),
        ("ones", ITSELF[1], "nn.init.zeros_(self.last.weight)", 0),
        ("ones", ITSELF[2], f"{APPLY}; nn.init.ones_(self.first.weight)", 0),
        ("ones", "normed * (1 + self.weight) * self.weight", APPLY, 0),
        ("ones", "normed ** self.weight", APPLY, 0),
        ("ones", "normed * (2 + self.weight)", APPLY, 1.0),
    ],
)
def test_gains_as_they_should_be(begin, result, fill, value, trace, tmp_path):
    source = NET.format(begin=begin, result=result, fill=fill, value=value)
    assert found(tmp_path, source, "INIT021", trace) == ()


TORCHS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.last = nn.BatchNorm1d(8)
        for module in self.modules():
            if isinstance(module, {kinds}):
                {fill}

    def forward(self, x):
        return self.last(self.fc(self.norm(x)))
"""


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("kinds", "fill", "count"),
    [
        ("nn.LayerNorm", "module.bias.data.fill_(1.0); module.weight.data.zero_()", 1),
        ("nn.LayerNorm", "module.weight.data.fill_(1.0); module.bias.data.zero_()", 0),
        ("nn.BatchNorm1d", "nn.init.constant_(module.weight, 0)", 1),
        ("nn.Linear", "nn.init.constant_(module.weight, 0)", 0),
    ],
)
def test_gains_of_torchs_norms(kinds, fill, count, trace, tmp_path):
    source = TORCHS.format(kinds=kinds, fill=fill)
    assert bool(found(tmp_path, source, "INIT021", trace)) == bool(count)
