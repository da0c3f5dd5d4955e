"""How long sets and lists are, where elements may be equal, or may not be there."""

import textwrap

import pytest

from initlint import api

NET = """\
from torch import nn
from somewhere import chosen, names, sizes

class Net(nn.Module):
    def __init__(self, first, second, n=3):
        super().__init__()
        {code}
        self.a = nn.Linear(wide, 64)
        self.b = nn.Linear(64, 2)

    def forward(self, x):
        return self.b(self.a(x).relu())
"""
# What the first layer multiplies with.
KNOWN = {
    "a set of numbers": ("wide = len(set([4, 4, 5]))", 2),
    "a set that is written out": ("wide = len({4, 4, 4})", 1),
    "a set of texts": ("wide = len(frozenset(('a', 'b', 'a')))", 2),
    "a set comprehension": ("wide = len({i % 2 for i in range(6)})", 2),
    "a set of modules": ("wide = len({nn.ReLU(), nn.ReLU()})", 2),
    "a set of one argument": ("wide = len({first, first})", 1),
    "what a filter leaves": ("wide = sum(filter(lambda i: i > 1, [1, 2, 3]))", 5),
    "what map gives": ("wide = sum(map(lambda i: 2 * i, [1, 2, 3]))", 12),
}
# A number that nobody knows: no error is certain, and no size.
OPEN = {
    "two arguments": "if len({first, second}) > 1:\n    raise ValueError\nwide = first",
    "an argument and a number": "if len({first, 4}) == 2:\n    raise ValueError\nwide = first",
    "attributes of what is not read": (
        "dims = set(f.dim for f in [chosen(1), chosen(2)])\n"
        "if len(dims) > 1:\n    raise ValueError\nwide = list(dims)[0]"
    ),
    "a filter of a list that a loop fills": (
        "found = []\nfor name in names:\n    found.append(name)\n"
        "if len(list(filter(lambda name: name.startswith('x'), found))) > 0:\n"
        "    raise ValueError\nwide = 8"
    ),
    "a filter that finds none of what is known": (
        "found = [1, 2]\nfor name in names:\n    found.append(name)\n"
        "if not list(filter(lambda i: i == 3, found)):\n    raise ValueError\nwide = 8"
    ),
    "a map over a list of unknown length": (
        "found = [1, 2]\nfound.extend(names)\n"
        "if len(list(map(str, found))) == 2:\n    raise ValueError\nwide = 8"
    ),
    "a sum over a list of unknown length": (
        "found = [1, 2]\nfound.extend(sizes)\nif sum(found) == 3:\n    raise ValueError\nwide = 8"
    ),
}


def layers(tmp_path, code):
    path = tmp_path / "net.py"
    path.write_text(NET.format(code=textwrap.indent(code, " " * 8).strip()))
    report = api.check(str(path))
    assert not report.unanalysed
    return {layer.layer: layer for layer in report.layers}


@pytest.mark.parametrize(("code", "wide"), KNOWN.values(), ids=KNOWN)
def test_a_length_is_known(tmp_path, code, wide):
    assert layers(tmp_path, code)["a"].fan_in == wide


@pytest.mark.parametrize("code", OPEN.values(), ids=OPEN)
def test_a_length_is_not_known(tmp_path, code):
    assert layers(tmp_path, code)["a"].following.activation == "relu"
