"""Activations and normalisations written out by hand, and what is not one."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initlint.tracing.build import Built
from initlint.tracing.layers import layers_of


class Written(nn.Module):
    def __init__(self, run):
        super().__init__()
        self.a, self.b, self.run = nn.Linear(8, 8), nn.Linear(8, 8), run
        self.scale, self.shift = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))
        self.register_buffer("mask", torch.ones(8))
        self.register_buffer("low", torch.tensor(-5.0))

    def forward(self, x):
        return self.run(self, self.a(x))


def found(run, parameter="a.weight"):
    layers = layers_of(Built("model", Written(run), None))
    return next(layer for layer in layers if layer.parameter == parameter)


def gelu_by_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


def centred(x):
    return x - x.mean(-1, keepdim=True)


def llama_norm(x, weight):
    kind = x.dtype
    x = x.to(torch.float32)
    variance = x.pow(2).mean(-1, keepdim=True)
    x = x * torch.rsqrt(variance + 1e-6)
    return weight * x.to(kind)


ACTIVATIONS = {
    "clamp(min=0)": (lambda m, x: torch.clamp(x, min=0), "relu", {}),
    "clamp_min": (lambda m, x: x.clamp_min(0.0), "relu", {}),
    "maximum with zeros": (lambda m, x: torch.maximum(x, torch.zeros_like(x)), "relu", {}),
    "maximum with a constant": (lambda m, x: torch.max(x, torch.tensor(0.0)), "relu", {}),
    "times its own sign": (lambda m, x: x * (x > 0), "relu", {}),
    "times its own sign as a number": (lambda m, x: x * (x > 0).float(), "relu", {}),
    "half of it and its absolute value": (lambda m, x: (x + x.abs()) * 0.5 + 0, "relu", {}),
    "squared relu: the relu comes first": (lambda m, x: F.relu(x) ** 2, "relu", {}),
    "clamp(0, 6)": (lambda m, x: x.clamp(0, 6), "relu6", {}),
    "clamp(-1, 1)": (lambda m, x: x.clamp(-1, 1), "hardtanh", {"min_val": -1, "max_val": 1}),
    "clamp(0, 1)": (lambda m, x: x.clamp(0, 1), "hardtanh", {"min_val": 0, "max_val": 1}),
    "clamp(0, 5): a rectifier with a cap": (lambda m, x: x.clamp(0, 5), "relu", {}),
    "leaky, by where": (
        lambda m, x: torch.where(x > 0, x, 0.1 * x),
        "leaky_relu",
        {"negative_slope": 0.1},
    ),
    "leaky, by maximum": (
        lambda m, x: torch.maximum(x, 0.2 * x),
        "leaky_relu",
        {"negative_slope": 0.2},
    ),
    "gelu by erf": (lambda m, x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), "gelu", {}),
    "gelu by tanh": (lambda m, x: gelu_by_tanh(x), "gelu", {}),
    "quick gelu": (lambda m, x: x * torch.sigmoid(1.702 * x), "gelu", {}),
    "swish with a learned slope": (lambda m, x: x * torch.sigmoid(m.scale * x), "silu", {}),
    "mish": (lambda m, x: x * torch.tanh(F.softplus(x)), "mish", {}),
    "softplus": (lambda m, x: torch.log(1 + torch.exp(x)), "softplus", {}),
    "hard sigmoid": (lambda m, x: F.relu6(x + 3) / 6, "hardsigmoid", {}),
    "hard swish": (lambda m, x: x * F.relu6(x + 3) / 6, "hardswish", {}),
    "in place": (lambda m, x: x.mul_(x.sigmoid()), "silu", {}),
}


@pytest.mark.parametrize(("run", "name", "args"), ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_a_written_out_activation_is_known_by_what_it_computes(run, name, args):
    following = found(run).following
    assert (following.activation, dict(following.args)) == (name, args)


NORMS = {
    "layer norm": lambda m, x: centred(x) / torch.sqrt(x.var(-1, keepdim=True) + 1e-5),
    "layer norm of the centred value": lambda m, x: (
        centred(x) / (centred(x).pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    ),
    "layer norm by std": lambda m, x: centred(x) / (x.std(-1, keepdim=True) + 1e-5),
    "RMS norm": lambda m, x: x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt(),
    "RMS norm with casts and a weight": lambda m, x: llama_norm(x, m.scale),
    "RMS norm by a power": lambda m, x: x * (x**2).mean(-1, keepdim=True).add(1e-6).pow(-0.5),
    "RMS norm by the norm": lambda m, x: x / (x.norm(dim=-1, keepdim=True) * 8**-0.5),
    "unit length": lambda m, x: x / torch.linalg.vector_norm(x, dim=-1, keepdim=True),
}


@pytest.mark.parametrize("run", NORMS.values(), ids=NORMS)
def test_a_written_out_normalisation_is_one(run):
    layer = found(lambda m, x: run(m, x).tanh())
    assert (layer.following.activation, "norm" in layer.following.via) == ("tanh", True)
    assert "normalisation" in layer.harmless


LOOKED_THROUGH = {
    "centred": lambda m, x: centred(x),
    "a wide clamp": lambda m, x: x.clamp(-100, 100),
    "a clamp that a signal hardly meets": lambda m, x: x.clamp(-5, 5),
    "a clamp at kept bounds": lambda m, x: torch.clamp(x, min=m.low),
    "a kept mask": lambda m, x: x * m.mask,
    "scaled and shifted by parameters": lambda m, x: torch.addcmul(m.shift, x, m.scale),
    "the global response of ConvNeXt 2: scale in, scale out": lambda m, x: (
        x * (x.norm(dim=1, keepdim=True) / (x.norm(dim=1, keepdim=True).mean(-1, True) + 1e-6))
    ),
}


@pytest.mark.parametrize("run", LOOKED_THROUGH.values(), ids=LOOKED_THROUGH)
def test_what_keeps_the_scale_is_looked_through(run):
    layer = found(lambda m, x: run(m, x).tanh())
    assert (layer.following.activation, layer.harmless) == ("tanh", "")


UNKNOWN = {
    "sine": lambda m, x: x.sin(),
    "square": lambda m, x: x**2,
    "absolute value": lambda m, x: x.abs(),
    "a clamp with one bound beyond the signal": lambda m, x: torch.clamp(x, min=-20, max=2),
    "a clamp from below": lambda m, x: x.clamp(min=-1),
    "a clamp from above": lambda m, x: x.clamp(max=2),
    "a root with an offset": lambda m, x: (x * x + 1).sqrt(),
}


@pytest.mark.parametrize("run", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_no_known_activation_stays_unknown(run):
    assert found(run).following.activation == "unknown"


def halves(gate):
    def run(m, x):
        first, second = x.chunk(2, -1)
        return gate(first) * second

    return run


@pytest.mark.parametrize("name", ["sigmoid", "silu", "gelu"])
def test_halves_that_gate_one_another_are_followed_part_by_part(name):
    following = found(halves(getattr(F, name))).following
    assert following.activation == "mixed"
    assert sorted(following.args["activations"]) == sorted(["gate", name])


def excited(m, x):
    share = m.b(F.relu(x.mean(1, keepdim=True))).sigmoid()
    return x.tanh() * share


def test_what_only_decides_a_share_is_harmless():
    layer = found(excited, "b.weight")
    assert (layer.following.activation, layer.origin) == ("sigmoid", "input")
    assert "between 0 and 1" in layer.harmless
    assert found(lambda m, x: m.b(x).sigmoid(), "b.weight").harmless == ""


def test_queries_and_keys_are_harmless_and_values_are_not():
    def attend(m, x):
        return F.scaled_dot_product_attention(m.b(x), m.b(x), x)

    assert "between 0 and 1" in found(attend, "b.weight").harmless
    assert found(attend, "a.weight").harmless == ""
    assert found(attend).following.args["activations"] == ("linear", "attention")


def test_a_layer_after_an_embedding_is_the_first_of_its_path():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    layers = {layer.parameter: layer for layer in layers_of(Built("model", model, None))}
    assert (layers["1.weight"].before, layers["1.weight"].origin) == (None, "input")
    assert layers["3.weight"].before == "1.weight"


def test_a_dead_end_does_not_hide_what_the_result_meets():
    def run(m, x):
        x.mean().exp()
        return x.relu()

    assert found(run).following.activation == "relu"


def test_another_tensor_that_gives_only_a_shape_is_no_way_for_the_signal():
    assert found(lambda m, x: F.layer_norm(x, (8,)).reshape_as(x).relu()).following.via == (
        "norm",
        "shape",
    )
