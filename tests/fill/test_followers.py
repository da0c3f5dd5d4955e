"""Frozen copies of a network that is filled begin as it does: momentum encoders, targets."""

import copy

import pytest
import torch
from torch import nn

import initlint
from initlint.records import POLICIES, InitlintError


class Momentum(nn.Module):
    def __init__(self, frozen=True):
        super().__init__()
        layers = [m for _ in range(8) for m in (nn.Linear(16, 16), nn.ReLU())]
        self.online, self.out = nn.Sequential(*layers), nn.Linear(16, 4)
        self.target = copy.deepcopy(self.online)
        self.target.requires_grad_(not frozen)
        self.register_buffer("shadow", self.online[4].weight.detach().clone())

    def forward(self, x):
        return self.out(self.online(x)) - self.out(self.target(x)).detach()

    def pairs(self):
        return zip(self.online.parameters(), self.target.parameters(), strict=True)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
def test_frozen_copies_stay_equal(scope, policy):
    model = Momentum()
    before = model.online[4].weight.detach().clone()
    report = initlint.apply_(model, torch.randn(32, 16), seed=0, scope=scope, policy=policy)
    assert not torch.equal(model.online[4].weight, before)
    assert all(torch.equal(*pair) for pair in model.pairs())
    assert torch.equal(model.shadow, model.online[4].weight)
    reasons = {one.parameter: one.reason for one in report.outcomes}
    assert reasons["target.4.weight"] == "a frozen copy of online.4.weight"
    assert not any(value.requires_grad for value in model.target.parameters())


def test_calibration_meets_copies_as_they_will_be():
    class Control(nn.Module):
        """A frozen net and a copy of it that trains and adds nothing at first."""

        def __init__(self):
            super().__init__()
            self.trains = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
            self.frozen = copy.deepcopy(self.trains).requires_grad_(False)
            self.zeros = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
            for layer in self.zeros:
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.out = nn.Linear(16, 4)

        def forward(self, x):
            y = x
            for frozen, trains, zero in zip(self.frozen, self.trains, self.zeros, strict=True):
                x, y = torch.relu(frozen(x)), torch.relu(trains(y))
                x = x + zero(y)
            return self.out(x)

    model, data = Control(), torch.randn(256, 16)
    initlint.apply_(model, data, seed=0, scope="recommended", policy="calibrated")
    assert torch.equal(model.frozen[1].weight, model.trains[1].weight)
    assert 0.25 < model(data).std() < 0.4


def _net():
    return nn.Sequential(*[m for _ in range(8) for m in (nn.Linear(16, 16), nn.ReLU())])


class Pair(nn.Module):
    """Two nets, made by `pair`, of which the second is frozen."""

    def __init__(self, pair):
        super().__init__()
        self.trains, self.frozen = pair()
        self.frozen.requires_grad_(False)
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        return self.out(self.trains(x) - self.frozen(x))


def original():
    frozen = _net()
    return copy.deepcopy(frozen), frozen


def copied():
    trains = _net()
    return trains, copy.deepcopy(trains)


def both():
    base = _net()
    return copy.deepcopy(base), copy.deepcopy(base)


def loaded():
    trains, frozen = _net(), _net()
    trains.load_state_dict(frozen.state_dict())
    return trains, frozen


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pair", [original, copied, both, loaded])
def test_materialize_leaves_copies_equal(pair, policy):
    inputs = torch.randn(32, 16)
    model = initlint.materialize(lambda: Pair(pair), inputs, seed=0, policy=policy)
    nets = (model.trains.state_dict(), model.frozen.state_dict())
    assert all(torch.equal(nets[0][name], nets[1][name]) for name in nets[0])
    assert model.trains[4].weight.std() > 1.5 * _net()[4].weight.std()


def test_materialize_leaves_a_copy_that_was_drawn_again():
    def again():
        trains, frozen = original()
        for layer in frozen[::2]:
            nn.init.orthogonal_(layer.weight)
        return trains, frozen

    model = initlint.materialize(lambda: Pair(again), torch.randn(32, 16), seed=0)
    weight = model.frozen[4].weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(16), atol=1e-5, rtol=0)


def test_what_differs_or_is_left_out_stays():
    model = Momentum()
    model.target[6].weight.data[0, 0] += 1e-3
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initlint.apply_(model, seed=0, skip="target.4")
    for name in ("target.6.weight", "target.4.weight", "target.4.bias"):
        assert torch.equal(model.state_dict()[name], before[name])
    assert torch.equal(model.target[8].weight, model.online[8].weight)


def test_copies_that_train_are_drawn_on_their_own():
    model = Momentum(frozen=False)
    initlint.apply_(model, seed=0)
    assert not torch.equal(model.online[8].weight, model.target[8].weight)


def test_a_failure_puts_copies_back(monkeypatch):
    from initlint.fill import making

    def fails(*args):
        raise RuntimeError("no report")

    monkeypatch.setattr(making, "report_on", fails)
    model = Momentum()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InitlintError, match="nothing was changed"):
        initlint.apply_(model, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("policy", POLICIES)
def test_copies_that_the_constructor_makes(policy):
    model = initlint.materialize(Momentum, seed=0, policy=policy)
    assert all(torch.equal(*pair) for pair in model.pairs())
