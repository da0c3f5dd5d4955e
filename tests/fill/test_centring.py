"""Hidden layers behind sigmoids: rows that sum to zero, so that the sigmoid's 1/2 cancels."""

import copy

import pytest
import torch
from torch import nn

import initlint

SCOPES = ("findings", "recommended", "all")


def chain(depth, width=64):
    layers = [m for _ in range(depth) for m in (nn.Linear(width, width), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def rows(weight):
    return weight.detach().flatten(1).mean(1).abs().max().item()


@pytest.mark.parametrize("policy", ["following", "orthogonal"])
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("depth", [4, 20])
def test_signal_and_gradient_reach_both_ends(depth, scope, policy):
    torch.manual_seed(0)
    model = chain(depth)
    report = initlint.apply_(model, seed=0, scope=scope, policy=policy)
    assert all(rows(layer.weight) < 1e-6 for layer in model[2:-1:2])
    assert all(rows(layer.weight) > 1e-3 for layer in (model[0], model[-1]))
    assert "1/2 is nothing" in {x.parameter: x.reason for x in report.outcomes}["2.weight"]
    last = model[:-2](torch.randn(256, 64))
    assert 0.3 < last.std(0).mean() < 2
    gradients = torch.autograd.grad(last.square().mean(), [model[0].weight, model[-3].weight])
    assert 0.1 < gradients[0].norm() / gradients[1].norm() < 10


def test_a_second_call_and_check_find_nothing():
    model = chain(6)
    initlint.apply_(model, seed=0)
    assert not [one for one in initlint.apply_(model, seed=1).outcomes if one.status == "filled"]
    assert not [one for one in initlint.check(model).findings if one.code.startswith("INIT1")]


@pytest.mark.parametrize("scope", ["findings", "all"])
def test_materialize_fills_the_same(scope):
    made = initlint.materialize(lambda: chain(5), seed=0, scope=scope)
    model = chain(5)
    initlint.apply_(model, seed=0, scope=scope)
    assert torch.equal(made[4].weight, model[4].weight) and rows(made[4].weight) < 1e-6


def test_convolutions_are_centred_over_their_windows():
    layers = [m for _ in range(5) for m in (nn.Conv2d(8, 8, 3, padding=1), nn.Sigmoid())]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 36, 10))
    initlint.apply_(model, torch.randn(4, 8, 6, 6), seed=0, scope="all")
    assert all(rows(layer.weight) < 1e-6 for layer in model[2:-2:2])
    assert rows(model[0].weight) > 1e-3


class Gates(nn.Module):
    """Sigmoids that scale other data, a norm behind one, and one that is the result."""

    def __init__(self):
        super().__init__()
        self.a, self.gate, self.b, self.c, self.d, self.out = (nn.Linear(16, 16) for _ in range(6))
        self.norm = nn.LayerNorm(16)

    def forward(self, x):
        h = torch.relu(self.a(x))
        h = self.b(h * torch.sigmoid(self.gate(h)))
        h = self.c(self.norm(torch.sigmoid(h)))
        h = self.d(torch.sigmoid(h) - 0.5)
        return torch.sigmoid(self.out(torch.relu(h)))


@pytest.mark.parametrize("scope", SCOPES)
def test_what_reads_something_else_is_filled_as_before(scope):
    model = Gates()
    before = copy.deepcopy(model)
    initlint.apply_(model, seed=0, scope=scope)
    for name, layer in model.named_children():
        if name != "norm":
            assert rows(layer.weight) > 1e-4, name
    assert torch.equal(model.norm.weight, before.norm.weight)


def test_calibrated_takes_the_means_away_itself():
    model = chain(4)
    initlint.apply_(model, seed=0, scope="all", policy="calibrated")
    assert rows(model[2].weight) > 1e-4 and model[2].bias.any()
