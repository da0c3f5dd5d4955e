"""Inputs guessed in sizes that the model's own tables and matrices have."""

import itertools

import pytest
import torch
from torch import nn

import initlint


class Positions(nn.Module):
    """Tokens with a table of positions; forward is recorded, as it asks for data."""

    def __init__(self, rows, sliced):
        super().__init__()
        self.embed, self.sliced = nn.Embedding(20, 8), sliced
        self.places = nn.Parameter(torch.zeros(1, rows, 8))
        self.hidden, self.out = nn.Linear(8, 8), nn.Linear(8, 20)

    def forward(self, t):
        length = t.shape[1]
        places = self.places[:, :length] if self.sliced else self.places
        h = self.hidden(self.embed(t) + places)
        return self.out(torch.relu(h if h.sum() < 1e9 else -h))


@pytest.mark.parametrize("sliced", [True, False])
@pytest.mark.parametrize("rows", [3, 12, 16, 40])
def test_tokens_are_as_many_as_a_table_of_positions_takes(rows, sliced):
    report = initlint.apply_(Positions(rows, sliced), seed=0, policy="calibrated", scope="all")
    assert {layer.parameter for layer in report.layers} >= {"hidden.weight", "out.weight"}


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.ParameterDict({"w": nn.Parameter(torch.randn(11, 32))})
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        return self.out(torch.relu(x @ self.into["w"]))


def test_features_are_as_wide_as_a_bare_matrix():
    report = initlint.apply_(Bare(), seed=0, policy="calibrated", scope="all")
    assert {layer.parameter for layer in report.layers} == {"into.w", "out.weight"}


class Undecided(nn.Module):
    """A net that only a run can follow, and whose input takes several guesses."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5)
        self.fc = nn.Linear(6 * 22 * 22, 10)
        self.unused = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))

    def forward(self, x):
        x = torch.relu(self.conv(x)) if x.shape[0] > 1 else self.conv(x)
        return self.fc(torch.flatten(torch.max_pool2d(x, 2), 1))


def test_a_busy_machine_changes_no_answer(monkeypatch):
    plainly = initlint.check(Undecided)
    clock = itertools.count(0, 1000)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    busy = initlint.check(Undecided)
    assert [(x.layer, x.following) for x in busy.layers] == [
        (x.layer, x.following) for x in plainly.layers
    ]
    assert len(busy.layers) == 4 and not busy.unanalysed
