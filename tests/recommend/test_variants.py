"""Other distributions and the other fan: what is written gives the std that is said, and suits."""

import math

import pytest
import torch
from torch import nn

from initlint import records
from initlint.recommend import recommended, suits
from initlint.recommend.calls import call
from initlint.recommend.variants import preferred

# shape, fan_in, fan_out: as `x @ w` and transposed convolutions have them, too.
SHAPES = {
    "linear": ((300, 400), 400, 300),
    "widening": ((400, 100), 100, 400),
    "conv": ((64, 32, 3, 3), 288, 576),
    "transposed": ((64, 32, 3, 3), 576, 288),
    "grouped transposed": ((64, 16, 3, 3), 144, 144),
}
ACTIVATIONS = ["relu", "leaky_relu", "selu", "tanh", "sigmoid", "gelu", "silu", "output"]
DISTRIBUTIONS = ["normal", "uniform", "orthogonal", "trunc_normal"]
MODES = ["fan_in", "fan_out"]


def layer(shape, fan_in, fan_out, activation):
    following = records.Following(activation)
    made = records.Layer("m", "fc", "fc.weight", "Linear", shape, fan_in, fan_out, following, None)
    return made, recommended(made)


def variant(made, found, **wanted):
    from dataclasses import replace

    (changed,) = preferred([replace(made, recommended=found)], records.Preferences(**wanted))
    return changed.recommended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_gives_the_std_that_is_said(shape, activation, distribution, mode):
    made, found = layer(*SHAPES[shape], activation)
    wanted = variant(made, found, distribution=distribution, mode=mode)
    weight = torch.full(made.shape, math.nan)
    torch.manual_seed(0)
    eval(call(wanted, "weight"), {"nn": nn, "weight": weight})
    assert weight.std().item() == pytest.approx(wanted.std, rel=0.04)
    assert suits(made, wanted.std)
    if distribution != "normal":
        assert wanted.name.startswith(
            {"uniform": ("kaiming_uniform_", "xavier_uniform_", "uniform_")}.get(
                distribution, distribution
            )
        )
    if mode == "fan_in":
        assert wanted.std == pytest.approx(found.std, rel=1e-6)


def test_without_a_wish_nothing_changes():
    made, found = layer(*SHAPES["conv"], "gelu")
    assert variant(made, found) == found


def test_counted_by_what_leaves_the_layer():
    made, found = layer(*SHAPES["widening"], "relu")
    assert variant(made, found, mode="fan_out").std == pytest.approx(math.sqrt(2 / 400))
    made, found = layer(*SHAPES["transposed"], "relu")
    assert variant(made, found, mode="fan_out").args["mode"] == "fan_in"


ALONE = {
    "zeros stay zeros": records.Initializer("zeros_", {}, 0.0),
    "nothing is recommended": None,
}


@pytest.mark.parametrize("found", ALONE.values(), ids=ALONE)
def test_left_alone(found):
    made, _ = layer(*SHAPES["linear"], "relu")
    assert variant(made, found, distribution="orthogonal", mode="fan_out") == found


def test_a_vector_is_not_made_orthogonal():
    following = records.Following("relu")
    vector = records.Layer("m", "", "w", "Parameter", (64,), 64, 64, following, None)
    found = records.Initializer("normal_", {"std": 0.1}, 0.1)
    assert variant(vector, found, distribution="orthogonal") == found


def test_a_truncated_draw_is_said_to_be_narrower():
    made, _ = layer(*SHAPES["linear"], "relu")
    found = records.Initializer("normal_", {"std": 1.0}, 1.0)
    assert variant(made, found, distribution="trunc_normal").std == pytest.approx(0.8796, rel=1e-4)
