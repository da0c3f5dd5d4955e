"""Layers beside a sum over an unknown number of values keep their scale under every scope.

Five seeds (docs/outcomes.md): `recommended` takes a GIN from 80 to 50 %, an equivariant network's
loss from 0.3 to more than 200,000.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

WHY = "beside a sum over an unknown number of values, which other scales may make explode"


class Rounds(nn.Module):
    """A graph network; `mixed` takes in the neighbours."""

    def __init__(self, mixed):
        super().__init__()
        self.mixed = mixed
        self.first = nn.Linear(16, 32)
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(3)
        )
        self.register_buffer("graph", torch.ones(5, 5))
        self.out = nn.Linear(32, 2)

    def forward(self, x, graph):
        h = self.first(x)
        for mlp in self.mlps:
            h = F.relu(mlp(self.mixed(self, h, graph)))
        return self.out(h.mean(0))


class Deep(nn.Module):
    """A sum over the elements of a set (Zaheer 2017)."""

    def __init__(self, pooled):
        super().__init__()
        self.pooled = pooled
        self.inner = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.outer = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x):
        return self.outer(self.pooled(self.inner(x)))


DENSE, EDGES = torch.ones(5, 5), torch.zeros(2, 7, dtype=torch.long)
NETS = {
    "adjacency": (lambda: Rounds(lambda s, h, g: h + g @ h), (torch.ones(5, 16), DENSE)),
    "kept": (lambda: Rounds(lambda s, h, g: h + s.graph @ h), (torch.ones(5, 16), DENSE)),
    "edges": (
        lambda: Rounds(lambda s, h, g: torch.zeros_like(h).index_add(0, g[0], h[g[1]])),
        (torch.ones(5, 16), EDGES),
    ),
    "set": (lambda: Deep(lambda h: h.sum(1)), (torch.ones(2, 6, 4),)),
    "einsum": (lambda: Deep(lambda h: torch.einsum("bnd->bd", h)), (torch.ones(2, 6, 4),)),
}


@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("net", NETS)
def test_no_scope_fills_them(net, scope):
    make, inputs = NETS[net]
    report = initlint.apply_(make(), *inputs, seed=0, scope=scope)
    assert {one.status for one in report.outcomes} == {"kept"}
    reasons = {one.reason for one in report.outcomes if "weight" in one.parameter}
    assert reasons == {WHY}


@pytest.mark.parametrize("policy", ["orthogonal", "calibrated"])
def test_no_policy_does(policy):
    make, inputs = NETS["adjacency"]
    report = initlint.apply_(make(), *inputs, seed=0, scope="all", policy=policy)
    assert {one.status for one in report.outcomes} == {"kept"}


def test_materialize_draws_what_the_constructor_does():
    make, inputs = NETS["set"]
    model = initlint.materialize(make, *inputs, seed=0, scope="all")
    for layer in (*model.inner[::2], *model.outer[::2]):
        assert layer.weight.abs().max() <= layer.in_features**-0.5


def test_uninitialised_memory_gets_the_std_of_the_default():
    make, inputs = NETS["set"]
    model = make()
    for parameter in model.parameters():
        parameter.data.fill_(float("nan"))
    initlint.apply_(model, *inputs, seed=0)
    found = model.inner[2].weight.std() * (3 * 32) ** 0.5
    assert 0.9 < found < 1.1


def test_overrides_fill_them():
    make, inputs = NETS["set"]
    model = make()
    initlint.apply_(model, *inputs, seed=0, overrides={"outer.0": 0.5})
    assert 0.4 < model.outer[0].weight.std() < 0.6


@pytest.mark.parametrize(
    "pooled", [lambda h: h.mean(1), lambda h: (torch.softmax(h[..., :1], 1) * h).sum(1)]
)
def test_beside_a_mean_they_are_filled(pooled):
    model = Deep(pooled)
    report = initlint.apply_(model, torch.ones(2, 6, 4), seed=0, scope="recommended")
    assert sum(one.status == "filled" for one in report.outcomes) == 8
