"""An operation that writes into its input is seen by all that reads the input afterwards."""

import math
import operator

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

import initlint
from initlint.tracing import capture as capturing
from initlint.tracing.build import Built
from initlint.tracing.inplace import written_back
from initlint.tracing.layers import layers_of


class Model(nn.Module):
    """Two layers; `act` is called on the result of the first, and its own result thrown away."""

    def __init__(self, act):
        super().__init__()
        self.act = act
        self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(inplace=True)

    def forward(self, x):
        x = self.a(x)
        self.act(self, x)
        return self.b(x)


def followings(run, monkeypatch=None):
    """What follows each layer, by symbolic tracing; by a recorded run where that is patched out."""

    def refuse(model):
        raise RuntimeError

    if monkeypatch is not None:
        monkeypatch.setattr(capturing, "traced", refuse)
    model = run if isinstance(run, nn.Module) else Model(run)
    found = layers_of(Built("model", model, None), (torch.zeros(2, 64),))
    return {
        layer.layer: (layer.following.activation, dict(layer.following.args)) for layer in found
    }


def twice(m, x):
    F.dropout(x, 0.5, False, True)
    x.mul_(0.5)
    x.tanh_()


TENTH = {"negative_slope": 0.1}
STATEMENTS = {
    "keyword": (lambda m, x: F.relu(x, inplace=True), "relu", {}),
    "positional": (lambda m, x: F.relu(x, True), "relu", {}),
    "module": (lambda m, x: m.relu(x), "relu", {}),
    "method": (lambda m, x: x.relu_(), "relu", {}),
    "function": (lambda m, x: torch.relu_(x), "relu", {}),
    "of a keyword": (lambda m, x: F.relu(input=x, inplace=True), "relu", {}),
    "tanh_": (lambda m, x: x.tanh_(), "tanh", {}),
    "clamp_": (lambda m, x: x.clamp_(min=0), "relu", {}),
    "slope": (
        lambda m, x: F.leaky_relu(x, 0.1, inplace=True),
        "leaky_relu",
        {"negative_slope": 0.1},
    ),
    "slope and place": (
        lambda m, x: F.leaky_relu(x, 0.1, True),
        "leaky_relu",
        {"negative_slope": 0.1},
    ),
    "one after the other": (twice, "tanh", {}),
    "dropped": (lambda m, x: m.relu(m.drop(x)), "relu", {}),
    "not in place": (lambda m, x: F.relu(x), "linear", {}),
    "option that says no": (lambda m, x: F.relu(x, inplace=False), "linear", {}),
    "cloned before": (lambda m, x: x.clone().relu_(), "linear", {}),
}


@pytest.mark.parametrize(("act", "activation", "args"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_in_place_is_what_follows(act, activation, args, monkeypatch):
    answer = followings(act)
    assert answer["a"] == (activation, args)
    assert answer == followings(act, monkeypatch)


class Kept(Model):
    """What was kept of a value before it was written into is written as well."""

    def forward(self, x):
        kept = x = self.a(x)
        x = F.relu(x, inplace=True)
        return self.b(kept)


def test_another_name_of_the_value_is_written_too(monkeypatch):
    assert followings(Kept(None))["a"] == ("relu", {})
    assert followings(Kept(None), monkeypatch)["a"] == ("relu", {})


def test_an_operator_named_with_an_underscore_writes_nothing():
    graph = fx.Graph()
    mask = graph.placeholder("mask")
    graph.call_function(operator.and_, (mask, True))
    graph.output(mask)
    assert list(written_back(graph, nn.Module()).nodes)[-1].all_input_nodes == [mask]


def test_views_do_not_crash():
    assert followings(lambda m, x: x.view(-1).relu_())


def test_a_fill_goes_by_it():
    model = Model(STATEMENTS["keyword"][0])
    initlint.apply_(model, seed=0, scope="all")
    assert model.a.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
