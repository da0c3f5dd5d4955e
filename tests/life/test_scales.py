"""Scales that are computed: a draw times a number or a symbol, in place or not, or cut."""

from __future__ import annotations

import math

import pytest

import initlint

MODEL = """\
import math, torch
from torch import nn
from timm.layers import to_2tuple

class Net(nn.Module):
    def __init__(self, {width}):
        super().__init__()
        self.a = nn.Linear(n, n)
        {statement}
        self.b = nn.Linear(n, 10)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))
"""
DEFAULT = 1 / math.sqrt(3 * 64)
SCALED = {
    "the default": ("self.a.weight.data.mul_(0.1)", 0.1 * DEFAULT),
    "a function's draw": ("nn.init.normal_(self.a.weight).mul_(0.1)", 0.1),
    "in two steps": ("nn.init.normal_(self.a.weight); self.a.weight.data.div_(10)", 0.1),
    "a method's draw": ("self.a.weight.data.normal_().mul_(0.1)", 0.1),
    "augmented": ("self.a.weight.data.normal_(); self.a.weight.data *= 0.1", 0.1),
    "assigned": ("self.a.weight.data = self.a.weight.data * 0.1", 0.1 * DEFAULT),
    "the number first": ("self.a.weight.data = 0.1 * self.a.weight.data", 0.1 * DEFAULT),
    "divided": ("self.a.weight.data = self.a.weight.data / 100", 0.01 * DEFAULT),
    "xavier": (
        "nn.init.xavier_normal_(self.a.weight); self.a.weight.data.mul_(2)",
        2 * math.sqrt(1 / 64),
    ),
    "orthogonal": (
        "nn.init.orthogonal_(self.a.weight); self.a.weight.data.mul_(1e-3)",
        1e-3 / math.sqrt(64),
    ),
    "by one": ("self.a.weight.data.mul_(1.0)", DEFAULT),
    "cut far away": ("self.a.weight.data.normal_(0, 0.1).clamp_(-0.2, max=0.2)", 0.1),
    "trunc_normal_ written out": (
        "self.a.weight.data.uniform_(2 * math.erf(-2 / 2 ** 0.5) / 2, "
        "2 * math.erf(2 / 2 ** 0.5) / 2).erfinv_().mul_(0.1 * math.sqrt(2.0))",
        0.088,
    ),
}


def layer(tmp_path, statement, width):
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(statement=statement, width=width))
    report = initlint.check(str(path))
    return next(layer for layer in report.layers if layer.layer == "a")


@pytest.mark.parametrize(("statement", "std"), SCALED.values(), ids=SCALED.keys())
def test_the_std_of_a_scaled_draw_is_known(tmp_path, statement, std):
    current = layer(tmp_path, statement, "n=64").current
    assert current.std == pytest.approx(std, rel=0.01)
    assert not current.default


@pytest.mark.parametrize(
    "statement",
    [
        "self.a.weight.data.normal_(0, 0.1).clamp_(-0.02, 0.02)",
        "self.a.weight.data.normal_(0, 0.1).clamp_(min=0)",
        "self.a.weight.data = self.a.weight.data * self.b_of(n)",
        "self.a.weight.data.mul_(float(input()))",
    ],
)
def test_what_is_not_known_stays_so(tmp_path, statement):
    assert layer(tmp_path, statement, "n=64").current.name == "unknown"


@pytest.mark.parametrize(
    ("statement", "gain"),
    [
        ("self.a.weight.data.normal_().mul_(math.sqrt(2 / n))", math.sqrt(2)),
        ("self.a.weight = nn.Parameter(torch.randn(n, n) * math.sqrt(1 / n))", 1),
        ("self.a.weight = nn.Parameter(torch.randn(n, n) / math.sqrt(n))", 1),
        ("nn.init.orthogonal_(self.a.weight); self.a.weight.data.mul_(0.5)", 0.5),
    ],
)
def test_a_scale_by_a_width_that_is_a_name_is_known_as_a_gain(tmp_path, statement, gain):
    found = layer(tmp_path, statement, "n")
    assert found.current.name != "unknown"
    ratio = found.current.std / found.recommended.std
    assert ratio == pytest.approx(gain / math.sqrt(2), rel=0.01)
