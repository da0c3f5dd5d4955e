"""What makes a following activation unknown is named: the function whose result is not known."""

import pytest

from initlint.reading import read

SOURCE = """import torch
import other
from torch import nn
from other import act, Act


class Net(nn.Module):
    def __init__(self, f, table):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.out = nn.Linear(8, 8)
        self.act, self.f, self.table = Act(8), f, table

    def forward(self, x):
        x = self.fc(x)
        {}
        return self.out(x)
"""
NAMED = {
    "a function of another package": ("x = act(x)", "other.act"),
    "a function of its module": ("x = other.gates.swish(x, 2)", "other.gates.swish"),
    "an argument": ("x = self.f(x)", "f"),
    "an object of an unknown class": ("x = self.act(x)", "act"),
    "a method of one": ("x = self.act.run(x)", "run"),
    "within a list": ("x = self.f([x, x])", "f"),
    "a reshape before it": ("x = self.f(x.view(-1, 8))", "f"),
    "one of two": ("x = act(x) if self.table else x.relu()", "other.act"),
    "a function of torch's": ("x = torch.special.bessel_j0(x)", "bessel_j0"),
    "no name": ("x = self.table[0](x)", ""),
    "a result of a call": ("x = self.f(2)(x)", ""),
}


@pytest.mark.parametrize(("statement", "by"), NAMED.values(), ids=NAMED)
def test_the_function_is_named(statement, by):
    found = following(statement)
    assert (found.activation, found.by) == ("unknown", by)


def test_what_is_known_names_nothing():
    found = following("x = self.f(x.relu())")
    assert (found.activation, found.by) == ("relu", "")


@pytest.mark.parametrize("name", ["sin", "where", "mul", "sigmoid", "div", "relu", "carried"])
def test_a_function_of_the_users_is_none_of_torchs_by_its_name(name):
    named, plain = following(f"x = x * other.{name}(x)"), following("x = x * other.f(x)")
    assert named == plain


def following(statement):
    """What follows the first layer."""
    layers = read(["net.py"], {"net.py": SOURCE.format(statement)}).layers
    return next(layer.following for layer in layers if layer.parameter == "fc.weight")
