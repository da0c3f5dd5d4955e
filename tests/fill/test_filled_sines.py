"""Nets of sines: `recommended` leaves the first layer and the head as PyTorch draws them."""

import math

import pytest
import torch
from torch import nn

import initlint


class Sine(nn.Module):
    def __init__(self, omega):
        super().__init__()
        self.omega = omega

    def forward(self, x):
        return torch.sin(self.omega * x)


def field(omega, *, is_own):
    """Three layers of sines and a head of PyTorch's default; `is_own`: drawn as SIREN's are."""
    layers = [nn.Linear(2 if i == 0 else 64, 64) for i in range(3)]
    for layer in layers[1:] if is_own else ():
        nn.init.uniform_(layer.weight, *[side * math.sqrt(6 / 64) / omega for side in (-1, 1)])
    parts = [part for layer in layers for part in (layer, Sine(omega))]
    return nn.Sequential(*parts, nn.Linear(64, 1))


def filled(model, scope):
    report = initlint.apply_(model, seed=0, scope=scope)
    return [one.parameter for one in report.outcomes if one.status == "filled"]


@pytest.mark.parametrize("omega", [5.0, 30.0])
def test_a_field_of_sines_that_is_drawn_as_it_should_be_stays(omega):
    model = field(omega, is_own=True)
    assert filled(model, "recommended") == []
    assert "6.weight" in filled(model, "all")


@pytest.mark.parametrize("omega", [5.0, 30.0])
def test_its_hidden_layers_are_filled_where_they_hold_the_default(omega):
    for scope in ("findings", "recommended"):
        hidden = ["2.weight", "2.bias", "4.weight", "4.bias"]
        assert filled(field(omega, is_own=False), scope) == hidden
