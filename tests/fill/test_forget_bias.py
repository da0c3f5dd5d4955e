"""forget_bias: the biases of LSTMs, whatever scope, and what is said of them."""

import math

import pytest
import torch
from torch import nn

import initlint


class Tagger(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Embedding(9, 8)
        self.cell = nn.LSTM(8, 6, batch_first=True, **options)
        self.out = nn.Linear(self.cell.hidden_size * (1 + self.cell.bidirectional), 9)

    def forward(self, x):
        return self.out(self.cell(self.embed(x))[0])


X = torch.zeros(1, 4, dtype=torch.long)


def biases(model):
    return {name: value.detach() for name, value in model.named_parameters() if "bias_" in name}


def expected(name, value, units=6):
    wanted = torch.zeros(4 * units)
    if "bias_ih" in name:
        wanted[units : 2 * units] = value
    return wanted


def assert_open(model, value):
    found = biases(model)
    assert found and all(b.equal(expected(name, value)) for name, b in found.items())


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
@pytest.mark.parametrize("policy", ["following", "orthogonal", "calibrated"])
def test_forget_gates_begin_open(options, scope, policy):
    model = Tagger(**options)
    report = initlint.apply_(model, X, seed=0, forget_bias=1.0, scope=scope, policy=policy)
    assert_open(model, 1.0)
    said = {one.parameter: one for one in report.outcomes}
    assert said["cell.bias_ih_l0"].status == said["cell.bias_hh_l0"].status == "filled"
    assert "Jozefowicz" in said["cell.bias_ih_l0"].reason


def test_the_gates_are_those_that_torch_multiplies_the_state_with():
    model = nn.LSTMCell(3, 6)
    for weight in (model.weight_ih, model.weight_hh):
        nn.init.zeros_(weight)
    initlint.apply_(model, torch.zeros(1, 3), seed=0, forget_bias=2.0, only="bias*")
    state = torch.ones(1, 6)
    cell = model(torch.zeros(1, 3), (torch.zeros(1, 6), state))[1]
    assert torch.allclose(cell, state / (1 + math.exp(-2.0)))


@pytest.mark.parametrize("scope", ["findings", "recommended"])
def test_materialize_does_it(scope):
    model = initlint.materialize(Tagger, X, seed=0, forget_bias=-0.5, scope=scope)
    assert_open(model, -0.5)


def test_weights_are_as_without_it():
    models = [Tagger(), Tagger()]
    models[1].load_state_dict(models[0].state_dict())
    for model, options in zip(models, [{}, {"forget_bias": 1.0}], strict=True):
        initlint.apply_(model, X, seed=3, scope="recommended", **options)
    for name, value in models[0].named_parameters():
        if "bias_" not in name:
            assert value.equal(models[1].get_parameter(name))


def test_what_somebody_set_stays_and_is_named():
    model = Tagger()
    nn.init.constant_(model.cell.bias_hh_l0, 0.3)
    report = initlint.apply_(model, X, seed=0, forget_bias=1.0)
    assert (model.cell.bias_hh_l0 == 0.3).all()
    reasons = {one.parameter: one.reason for one in report.outcomes}
    assert "constant" in reasons["cell.bias_hh_l0"]


def test_a_second_run_changes_nothing():
    model = Tagger()
    initlint.apply_(model, X, seed=0, forget_bias=1.0)
    report = initlint.apply_(model, X, seed=0, forget_bias=1.0)
    assert_open(model, 1.0)
    assert not [one for one in report.outcomes if one.status == "filled"]


@pytest.mark.parametrize(
    "choice", [{"only": "out"}, {"skip": "cell"}, {"overrides": {"*": "keep"}}]
)
def test_only_skip_and_overrides_come_first(choice):
    model = Tagger()
    before = {name: value.clone() for name, value in biases(model).items()}
    initlint.apply_(model, X, seed=0, forget_bias=1.0, **choice)
    assert all(value.equal(before[name]) for name, value in biases(model).items())


@pytest.mark.parametrize("model", [nn.GRU(3, 4), nn.LSTM(3, 4, bias=False), nn.Linear(3, 4)])
def test_a_model_without_such_biases_is_an_error(model):
    with pytest.raises(initlint.InitlintError, match="no LSTM with biases"):
        initlint.apply_(model, seed=0, forget_bias=1.0)


@pytest.mark.parametrize("value", ["1", True, float("nan"), [1.0]])
def test_it_is_a_number(value):
    with pytest.raises(initlint.InitlintError, match=r"forget_bias=.*write a number"):
        initlint.apply_(Tagger(), X, seed=0, forget_bias=value)
