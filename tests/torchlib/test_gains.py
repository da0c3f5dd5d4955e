"""The gains of rules/activations.toml, recomputed from torch's own functions."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.integrate import quad
from torch import nn

from initlint.torchlib import catalog

ACTIVATIONS = catalog.activations()
ELEMENTWISE = [name for name, row in ACTIVATIONS.items() if row.formula and row.modules]
RECTIFIERS = ("leaky_relu", "prelu", "rrelu")
# design.md and facts.md, by numerical integration
PUBLISHED = {
    "relu": 1.4142,
    "gelu": 1.5335,
    "silu": 1.6765,
    "mish": 1.4868,
    "elu": 1.2452,
    "selu": 1.0000,
    "softplus": 1.0419,
    "hardswish": 1.7367,
    "hardtanh": 1.3920,
    "tanh": 1.5925,
    "sigmoid": 1.8462,
    "softsign": 2.3375,
}
# design.md, "Recommended": gain, and the lowest and the highest gain that is accepted
RECOMMENDED = {
    "relu": (2**0.5, 2**0.5, 2**0.5),
    "relu6": (2**0.5, 2**0.5, 2**0.5),
    "threshold": (2**0.5, 2**0.5, 2**0.5),
    "tanh": (5 / 3, 1, 5 / 3),
    "hardtanh": (5 / 3, 1, 5 / 3),
    "softsign": (5 / 3, 1, 5 / 3),
    "sigmoid": (1, 1, 4),
    "hardsigmoid": (1, 1, 4),
    "selu": (1, 0.75, 1),
    "gelu": (1.5335, 2**0.5, 1.5335),
    "silu": (1.6765, 2**0.5, 1.6765),
    "mish": (1.4868, 2**0.5, 1.4868),
    "elu": (1.2452, 1.2452, 2**0.5),
    "celu": (1.2452, 1.2452, 2**0.5),
    "softplus": (1.0419, 1.0419, 2**0.5),
    "hardswish": (1.7367, 2**0.5, 1.7367),
    "sin": (2**0.5, 1, 1.75),
}
OTHER_ARGUMENTS = [
    ("leaky_relu", {"negative_slope": 0.2}),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("prelu", {"init": 0.0}),
    ("rrelu", {"lower": 0.1, "upper": 0.7}),
    ("elu", {"alpha": 0.3}),
    ("elu", {"alpha": 2}),
    ("celu", {"alpha": 0.05}),
    ("softplus", {"beta": 5.0}),
    ("softplus", {"beta": 2.0, "threshold": 1.0}),
    ("gelu", {"approximate": "tanh"}),
    ("hardtanh", {"min_val": -0.37, "max_val": 2.2}),
    ("threshold", {"threshold": 0.1, "value": 1.3}),
    ("hardshrink", {"lambd": 1.234}),
    ("softshrink", {"lambd": 0.111}),
]


def torch_function(name, args):
    """torch's own function under this name, of one double tensor."""
    values = {**ACTIVATIONS[name].arguments, **args}
    if name == "prelu":
        return partial(F.prelu, weight=torch.tensor([values["init"]], dtype=torch.double))
    return partial(getattr(F, name), **values)


def integrated_gain(name, args):
    f = torch_function(name, args)

    def integrand(x):
        return f(torch.tensor([x], dtype=torch.double)).item() ** 2 * math.exp(-x * x / 2)

    kinks = {-3.0, -1.0, 0.0, 1.0, 3.0, *(v for v in args.values() if isinstance(v, float))}
    kinks |= {-kink for kink in kinks}
    moment = quad(integrand, -12, 12, points=sorted(kinks), limit=200)[0]
    return 1 / math.sqrt(moment / math.sqrt(2 * math.pi))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_gain_at_the_defaults_is_the_integral(name):
    assert ACTIVATIONS[name].gain() == pytest.approx(integrated_gain(name, {}), abs=1e-5)


@pytest.mark.parametrize(("name", "args"), OTHER_ARGUMENTS)
def test_gain_at_other_arguments_is_the_integral(name, args):
    assert ACTIVATIONS[name].gain(args) == pytest.approx(integrated_gain(name, args), abs=1e-3)


@pytest.mark.parametrize(
    ("name", "args"), [*((name, {}) for name in ELEMENTWISE), *OTHER_ARGUMENTS]
)
def test_formula_is_torchs_function(name, args):
    row = ACTIVATIONS[name]
    xs = np.linspace(-12, 12, 4801) + 1e-7
    values = {**row.arguments, **args}
    f = eval(f"lambda x: {row.formula}", {**vars(math), **values})
    expected = torch_function(name, args)(torch.from_numpy(xs)).numpy()
    np.testing.assert_allclose([f(x) for x in xs], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", PUBLISHED)
def test_gain_is_the_published_number(name):
    assert ACTIVATIONS[name].gain() == pytest.approx(PUBLISHED[name], abs=5.1e-5)


@pytest.mark.parametrize("name", RECOMMENDED)
def test_recommended_and_accepted_gains_are_those_of_the_design(name):
    gain, low, high = RECOMMENDED[name]
    row = ACTIVATIONS[name]
    assert row.recommended_gain() == pytest.approx(gain, abs=5.1e-5)
    assert row.accepted() == pytest.approx((low, high), abs=5.1e-5)


def test_every_reported_activation_has_its_numbers_in_the_design():
    reported = {name for name, row in ACTIVATIONS.items() if row.family != "unscaled"}
    assert reported == {*RECOMMENDED, *RECTIFIERS}


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "elu", "celu", "softplus", "hardswish"])
def test_first_layer_before_a_smooth_activation_sees_data(name):
    row = ACTIVATIONS[name]
    assert row.recommended_gain(first=True) == 1
    assert row.accepted(first=True) == (1, row.accepted()[1])


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh", "sigmoid", "selu", "softmax"])
def test_first_layer_before_any_other_activation_is_like_the_rest(name):
    row = ACTIVATIONS[name]
    assert row.recommended_gain(first=True) == row.recommended_gain()
    assert row.accepted(first=True) == row.accepted()


@pytest.mark.parametrize(
    ("name", "args", "slope"),
    [
        ("leaky_relu", {}, 0.01),
        ("leaky_relu", {"negative_slope": 0.2}, 0.2),
        ("leaky_relu", {"negative_slope": 1}, 1),
        ("prelu", {}, 0.25),
        ("prelu", {"init": 0.5}, 0.5),
        ("rrelu", {}, 11 / 48),
        ("rrelu", {"lower": 0.3, "upper": 0.5}, 0.4),
    ],
)
def test_leaky_gain_is_torchs_and_the_integral(name, args, slope):
    row = ACTIVATIONS[name]
    gain = row.recommended_gain(args)
    assert gain == pytest.approx(nn.init.calculate_gain("leaky_relu", slope))
    assert gain == pytest.approx(row.gain(args), abs=1e-6)
    assert row.accepted(args) == (gain, gain)


def test_leaky_gain_at_the_common_slope():
    gain = ACTIVATIONS["leaky_relu"].recommended_gain({"negative_slope": 0.2})
    assert gain == pytest.approx(1.3868, abs=5e-5)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "tanh", "sigmoid", "linear"])
def test_recommended_gain_is_torchs_where_torch_has_one(name):
    assert ACTIVATIONS[name].recommended_gain() == pytest.approx(nn.init.calculate_gain(name))


def test_torchs_gain_of_selu_is_accepted():
    assert ACTIVATIONS["selu"].accepted()[0] == nn.init.calculate_gain("selu")


def test_sine_layers_get_the_scale_of_their_paper():
    """Sitzmann 2020: U(±1/n) in the first layer, U(±√(6/n)/ω) in all others."""
    row, args = ACTIVATIONS["sin"], {"omega": 30.0}
    for n in (1, 2, 3, 64):
        hidden, first = row.recommended_gain(args), row.recommended_gain(args, True, n)
        assert hidden / n**0.5 == pytest.approx((6 / n) ** 0.5 / 30 / 3**0.5)
        assert first / n**0.5 == pytest.approx(1 / n / 3**0.5)
        low, high = row.accepted(args, True, n)
        assert low == pytest.approx(first) and high > 1e6
    assert row.gain() == pytest.approx((2 / (1 - math.exp(-2))) ** 0.5, abs=1e-6)
    assert row.recommended_gain({"omega": 0.5}, True, 64) == 2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_recommended_gain_is_accepted(name):
    row = ACTIVATIONS[name]
    for first in (False, True):
        low, high = row.accepted(first=first)
        assert low <= row.recommended_gain(first=first) <= high


@pytest.mark.parametrize("name", [n for n, r in ACTIVATIONS.items() if r.family == "unscaled"])
def test_heads_and_gates_are_given_xavier(name):
    row = ACTIVATIONS[name]
    assert (row.initializer, row.recommended_gain()) == ("xavier_normal_", 1)


def test_recommended_gain_of_a_smooth_activation_follows_its_arguments():
    row = ACTIVATIONS["softplus"]
    assert row.recommended_gain({"beta": 50.0}) == pytest.approx(math.sqrt(2), abs=2e-2)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("softplus", {"beta": 0}),
        ("celu", {"alpha": 0.0}),
        ("leaky_relu", {"negative_slope": 1e200}),
        ("leaky_relu", {"negative_slope": float("nan")}),
        ("leaky_relu", {"negative_slope": "self.slope"}),
        ("leaky_relu", {"negative_slope": None}),
        ("leaky_relu", {"inplace": True}),
        ("elu", {"alpha": torch.ones(3)}),
        ("gelu", {"approximate": 3}),
        ("hardshrink", {"lambd": 100.0}),
    ],
)
def test_arguments_without_a_gain_are_taken_for_the_defaults(name, args):
    row = ACTIVATIONS[name]
    assert row.gain(args) == row.keeps
    assert row.recommended_gain(args) == row.recommended_gain()


def test_recommended_gain_carries_the_signal_through_a_wide_layer():
    """A layer with the recommended gain keeps the signal's second moment through its activation."""
    torch.manual_seed(0)
    for name in ("relu", "leaky_relu", "gelu", "silu", "mish", "elu", "selu", "hardswish"):
        row = ACTIVATIONS[name]
        x = torch.randn(512, 2048)
        weight = torch.randn(2048, 2048) * row.recommended_gain() / 2048**0.5
        x = torch_function(name, {})(x)
        assert (x @ weight.T).square().mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("place", np.random.default_rng(0).uniform(-2, 2, 20).round(6).tolist())
def test_moment_at_a_jump_is_as_exact_as_promised(place):
    gain = catalog.keeping_gain("1 if x > place else 0", (("place", place),))
    assert gain**-2 == pytest.approx(math.erfc(place / math.sqrt(2)) / 2, abs=5e-4)
