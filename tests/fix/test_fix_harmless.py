"""A fix makes no layer larger that has no finding: the layer that sees the data, and the head."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import initlint

LAYERS = """
import torch
from torch import nn

{before}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(256, 256)
        self.hidden = nn.ModuleList(nn.Linear(256, 256) for _ in range(6))
        self.head = nn.Linear(256, 256)
{inside}
    def forward(self, x):
        x = torch.relu(self.first(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)
{after}"""
HOOK = """def fill(m):
    if isinstance(m, nn.Linear):
        nn.init.{call}

"""
CALLS = ("xavier_uniform_(m.weight)", "xavier_normal_(m.weight)", "kaiming_normal_(m.weight, a=1)")


def _ratios(source: str) -> dict[str, float]:
    """By parameter its std against that of Kaiming, as the source draws it now."""
    scope: dict[str, object] = {}
    exec(source, scope)
    torch.manual_seed(0)
    net = scope.get("net") or scope["Net"]()
    assert isinstance(net, nn.Module)
    return {
        name: value.std().item() / math.sqrt(2 / 256)
        for name, value in net.named_parameters()
        if value.dim() > 1
    }


def _source(way: str, call: str) -> str:
    loop = (
        "        for p in self.parameters():\n            if p.dim() > 1:\n                nn.init."
    )
    made = {
        "loop": ("", f"{loop}{call.replace('m.weight', 'p')}\n", ""),
        "hook": (HOOK.format(call=call), "        self.apply(fill)\n", ""),
        "late": (HOOK.format(call=call), "", "\n\nnet = Net()\nnet.apply(fill)\n"),
    }
    before, inside, after = made[way]
    return LAYERS.format(before=before, inside=inside, after=after)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("way", ["loop", "hook"])
def test_one_call_for_all_layers_stays_for_those_that_are_right(way, call):
    source = _source(way, call)
    fixed = initlint.fix(source, unsafe=True)
    before, after = _ratios(source), _ratios(fixed.source)
    assert not fixed.findings
    for name, value in after.items():
        is_hidden = name.startswith("hidden")
        assert value == pytest.approx(1 if is_hidden else before[name], rel=0.05), name


def test_a_call_that_comes_after_construction_is_corrected_as_a_whole():
    fixed = initlint.fix(_source("late", CALLS[0]), unsafe=True)
    assert not fixed.findings
    assert list(_ratios(fixed.source).values()) == pytest.approx([1] * 8, rel=0.05)


def test_a_call_that_makes_the_head_smaller_is_corrected_in_its_place():
    fixed = initlint.fix(_source("hook", "normal_(m.weight, std=1.0)"), unsafe=True)
    assert fixed.source.count("nn.init.") == 1
    assert list(_ratios(fixed.source).values()) == pytest.approx([1] * 8, rel=0.05)


MIXED = """
import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = nn.Conv2d(32, 32, 1)
        self.conv = nn.Conv2d(32, 32, 3, padding=1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(32, 32, 4, 2, 1) for _ in range(3))
        self.out = nn.Conv2d(32, 3, 3, padding=1)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.{call}

    def forward(self, x):
        x = torch.relu(self.conv(torch.relu(self.enter(x))))
        for up in self.up:
            x = torch.relu(up(x))
        return self.out(x)
"""


@pytest.mark.parametrize("call", ["kaiming_normal_(m.weight)", "kaiming_uniform_(m.weight, a=1)"])
def test_transposed_convolutions_get_the_std_of_their_stride(call):
    fixed = initlint.fix(MIXED.format(call=call), unsafe=True)
    scope: dict[str, object] = {}
    exec(fixed.source, scope)
    torch.manual_seed(0)
    net = scope["Decoder"]()
    for up in net.up:
        assert up.weight.std().item() == pytest.approx(math.sqrt(2 / (32 * 4)), rel=0.03)
    assert not fixed.findings


NORMED = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.second = nn.Linear(64, 64)
        self.third = nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)
        self.head = nn.Linear(64, 64)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_uniform_(m.weight, a=5)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(torch.relu(self.norm(self.third(x))))
"""


def test_a_head_behind_a_normalisation_does_not_become_louder():
    scope: dict[str, object] = {}
    fixed = initlint.fix(NORMED, unsafe=True)
    assert fixed.count
    exec(fixed.source, scope)
    torch.manual_seed(0)
    assert scope["Net"]().head.weight.std().item() == pytest.approx(0.277 / 8, rel=0.05)


STREAM = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.{norm}
        self.a = nn.{layer}
        self.b = nn.{layer}
        {init}

    def forward(self, x):
        return x + self.b(torch.{activation}(self.a(self.norm(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.{layer}
        self.blocks = nn.Sequential(*[Block() for _ in range(5)])
        self.last = nn.{layer}

    def forward(self, x):
        return self.last(torch.{activation}(self.blocks(self.first(x))))
"""
KINDS = (
    {"norm": "LayerNorm(64)", "layer": "Linear(64, 64)"},
    {"norm": "BatchNorm2d(64)", "layer": "Conv2d(64, 64, 3, padding=1)"},
)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("kind", KINDS, ids=["linear", "conv"])
@pytest.mark.parametrize("init", ["pass", "nn.init.orthogonal_(self.b.weight, 0.1)"])
def test_a_branch_that_adds_little_to_a_stream_is_left_alone(activation, kind, init):
    source = STREAM.format(**kind, activation=activation, init=init)
    assert not initlint.check(source, select="INIT1").findings


def test_a_branch_that_drowns_its_stream_is_reported():
    init = "nn.init.normal_(self.b.weight, std=3.0)"
    source = STREAM.format(**KINDS[0], activation="relu", init=init)
    assert [x.code for x in initlint.check(source).findings] == ["INIT106"]
