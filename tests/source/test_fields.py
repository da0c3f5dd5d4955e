"""Constructors that are generated from fields: dataclasses, their subclasses, NamedTuple, attrs."""

import pytest

from initlint.reading import read

SOURCE = """\
import copy
from dataclasses import dataclass, field
from typing import NamedTuple
import attrs
from torch import nn

{config}

class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(config.width, 8) for _ in range(config.depth)])

    def forward(self, x):
        return sum(layer(x) for layer in self.layers)


def make():
    return Net(copy.copy({made}))
"""
PLAIN = "@dataclass\nclass Config:\n    width: int\n    depth: int = 3\n"
FORMS = {
    "a dataclass": (PLAIN, "Config(4)"),
    "a subclass without its own": (PLAIN + "class Own(Config):\n    pass\n", "Own(4, depth=3)"),
    "a subclass with fields": (
        PLAIN + "@dataclass\nclass Own(Config):\n    more: int = field(default=2)\n",
        "Own(width=4)",
    ),
    "super() of a written one": (
        PLAIN
        + "class Own(Config):\n"
        + "    def __init__(self, half):\n"
        + "        super().__init__(2 * half, depth=self.deep(2))\n"
        + "    @staticmethod\n"
        + "    def deep(number):\n"
        + "        return number + 1\n",
        "Own(2)",
    ),
    "a written one in a dataclass": (
        "@dataclass\nclass Config:\n    width: int\n    depth: int\n"
        "    def __init__(self):\n        self.width, self.depth = 4, 3\n",
        "Config()",
    ),
    "afterwards": (PLAIN + "    def __post_init__(self):\n        self.width = 4\n", "Config(9)"),
    "a named tuple": (
        PLAIN.replace("@dataclass\n", "").replace("Config", "Config(NamedTuple)"),
        "Config(4)",
    ),
    "attrs": (PLAIN.replace("dataclass", "attrs.define"), "Config(4)"),
}


@pytest.mark.parametrize(("config", "made"), FORMS.values(), ids=FORMS)
def test_fields_are_filled(config, made, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(SOURCE.format(config=config, made=made))
    shapes = [layer.shape for layer in read([str(path)]).layers if layer.model == "make"]
    assert shapes == [(8, 4)] * 3


def test_a_written_constructor_comes_before_a_generated_one_of_a_base(tmp_path):
    config = PLAIN + "class Own(Config):\n    def __init__(self):\n        self.width = 4\n"
    path = tmp_path / "net.py"
    path.write_text(SOURCE.format(config=config, made="Own()"))
    assert all(layer.shape != (8, 3) for layer in read([str(path)]).layers)
