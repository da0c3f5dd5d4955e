"""Branches that see more than their stream are filled as those that see it alone."""

import math

import pytest
import torch
from torch import nn

import initlint

COUNT, WIDTH = 6, 64


class Block(nn.Module):
    def __init__(self, way, norm):
        super().__init__()
        self.way, self.norm = way, norm
        self.a = nn.Linear(2 * WIDTH if way == "cat" else WIDTH, WIDTH)
        self.w, self.b = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, h, v):
        x = self.norm(h)
        if self.way == "cat":
            return h + self.b(torch.relu(self.a(torch.cat([x, v], -1))))
        beside = self.w(v) if self.way == "sum" else 0.0
        return h + self.b(torch.relu(self.a(x) + beside))


class Net(nn.Module):
    def __init__(self, way, norm):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
        self.blocks = nn.ModuleList(Block(way, norm()) for _ in range(COUNT))

    def forward(self, x, v):
        h = self.first(x)
        for block in self.blocks:
            h = block(h, v)
        return self.last(h)


WAYS = ("alone", "sum", "cat")


@pytest.mark.parametrize("way", WAYS)
def test_without_norms_they_begin_with_zeros(way):
    model = Net(way, nn.Identity)
    initlint.apply_(model, seed=0, scope="recommended")
    assert not any(block.b.weight.any() for block in model.blocks)
    assert all(block.a.weight.any() for block in model.blocks)


@pytest.mark.parametrize("way", WAYS)
def test_behind_norms_they_share_one_variance(way):
    model = Net(way, lambda: nn.LayerNorm(WIDTH))
    initlint.apply_(model, seed=0, scope="recommended")
    wanted = 1 / math.sqrt(COUNT * WIDTH)
    for block in model.blocks:
        assert block.b.weight.std().item() == pytest.approx(wanted, rel=0.1)
