"""Objects and questions of Python's own: `__new__`, `callable`, `getattr` with a default."""

import textwrap

import pytest

from initlint import api

HEAD = """\
import collections.abc
import copy
from typing import Callable
import torch
from torch import nn
from somewhere import names, source


class Base:
    pass


class Small(Base):
    width = 8


class Large(Base):
    width = 16


class Choose:
    def __new__(cls, name, **kwargs):
        if name == "small":
            return Small(**kwargs)
        return Large(**kwargs)


class Kept:
    width = 24

    def __new__(cls, *args):
        return super().__new__(cls)


class Narrow(int):
    def __new__(cls, value):
        return super(Narrow, cls).__new__(cls, value)


def check(value, kinds):
    if not isinstance(value, kinds):
        raise ValueError(kinds)


class Picky:
    def __init__(self, value):
        check(value, int)


def grow(x):
    return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {code}
        self.a = nn.Linear(wide, 64)
        self.b = nn.Linear(64, 2)

    def forward(self, x):
        return self.b(self.a(x).relu())
"""
BUILT = {
    "another class by its name": ("wide = Choose('small').width", 8),
    "another class otherwise": ("wide = Choose('other').width", 16),
    "its own class": ("wide = Kept(1).width", 24),
    "the class that was given": (
        "check(Choose('small'), Small)\nwide = 8",
        8,
    ),
    "a function is callable": ("check(grow, Callable)\nwide = 8", 8),
    "a class is callable": ("check(Small, collections.abc.Callable)\nwide = 8", 8),
    "a function is no class": ("wide = 4 if isinstance(grow, type) else 8", 8),
    "a class is one": ("wide = 8 if isinstance(Small, type) else 4", 8),
    "a loss of torch's is a loss": ("check(nn.MSELoss(), nn.modules.loss._Loss)\nwide = 8", 8),
    "a weighted loss": ("check(nn.NLLLoss(), nn.modules.loss._WeightedLoss)\nwide = 8", 8),
    "the default of getattr": ("wide = getattr(nn.Linear(2, 2), 'channels', 8)", 8),
    "what getattr finds": ("wide = getattr(nn.Linear(2, 12), 'out_features', 8)", 12),
    "what is not callable": (
        "found = [m for m in [nn.ReLU(), nn.Tanh()]\n"
        "         if callable(getattr(m, 'bias', None))]\nwide = 8 + len(found)",
        8,
    ),
    "an object that fails again and again": (
        "wide = 0\nfor i in range(5):\n    try:\n        Picky('x')\n"
        "    except ValueError:\n        wide += 1\nPicky(3)\nwide = wide + 3",
        8,
    ),
}


def layers(tmp_path, code):
    path = tmp_path / "net.py"
    path.write_text(HEAD.replace("{code}", textwrap.indent(code, " " * 8).strip()))
    report = api.check(str(path))
    assert not report.unanalysed
    return {layer.layer: layer for layer in report.layers}


@pytest.mark.parametrize(("code", "wide"), BUILT.values(), ids=BUILT)
def test_what_is_built_is_known(tmp_path, code, wide):
    assert layers(tmp_path, code)["a"].fan_in == wide


DOUBTFUL = """
class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x):
        return self.a(x)

net = Plain()
chosen = [m for m in net.modules() if {test}]
for m in chosen:
    {call}
"""


@pytest.mark.parametrize(
    ("test", "call", "count"),
    [
        ("source(m)", "m.reset_noise()", 0),
        ("hasattr(m, source)", "nn.init.zeros_(m.gain)", 0),
        ("callable(getattr(m, 'reset', None))", "m.reset()", 0),
        ("isinstance(m, nn.Linear)", "nn.init.zeros_(m.gain)", 1),
        ("isinstance(m, nn.Linear)", "nn.init.xavier_normal_(m.bias)", 1),
    ],
)
def test_what_need_not_be_in_a_list_raises_no_certain_error(tmp_path, test, call, count):
    path = tmp_path / "net.py"
    path.write_text(HEAD.partition("class Base")[0] + DOUBTFUL.format(test=test, call=call))
    codes = [finding.code for finding in api.check(str(path)).findings]
    assert codes.count("INIT007") == count
