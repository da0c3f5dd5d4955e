"""A fan in a new call: by the attribute of a linear layer, of any other from its tensor."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
from marked import STD, again, rewritten

from initlint import api
from initlint.records import Fan, Initializer

IN = STD
OUT = Initializer("normal_", {"std": Fan(1.0, "out", 0.5)})
BOTH = Initializer("uniform_", {"a": Fan(-1.0, "both", -0.5), "b": Fan(1.0, "both", 0.5)})
HEAD = "from torch import nn\n\n\n"
NET = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"

NAMED = [
    (
        "fan_in",
        IN,
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)»",
        "nn.init.normal_(self.fc.weight, std=1.534 / self.fc.in_features**0.5)",
    ),
    (
        "fan_out",
        OUT,
        ("fc.weight",),
        "self.fc = «nn.Linear(3, 4)»",
        "nn.init.normal_(self.fc.weight, std=self.fc.out_features**-0.5)",
    ),
    (
        "both",
        BOTH,
        ("a.weight",),
        "self.a = «nn.Linear(3, 4)»",
        """\
nn.init.uniform_(
    self.a.weight,
    -(2 / (self.a.in_features + self.a.out_features)) ** 0.5,
    (2 / (self.a.in_features + self.a.out_features)) ** 0.5,
)""",
    ),
    (
        "a member of a Sequential",
        IN,
        ("net.0.weight",),
        "self.net = nn.Sequential(«nn.Linear(3, 4)», nn.GELU())",
        "nn.init.normal_(self.net[0].weight, std=1.534 / self.net[0].in_features ** 0.5)",
    ),
    (
        "the variable of a loop",
        IN,
        (("fcs.0.weight", "fcs.1.weight"),),
        "self.fcs = nn.ModuleList(«nn.Linear(3, 3)» for _ in range(2))",
        "for layer in self.fcs:\n"
        "    nn.init.normal_(layer.weight, std=1.534 / layer.in_features**0.5)",
    ),
    (
        "layers that share a loop",
        IN,
        ("a.weight", "b.weight", "c.weight"),
        "self.a = «nn.Linear(3, 3)»\nself.b = «nn.Linear(3, 3)»\nself.c = «nn.Linear(3, 3)»",
        "for layer in (self.a, self.b, self.c):\n"
        "    nn.init.normal_(layer.weight, std=1.534 / layer.in_features**0.5)",
    ),
]

COUNTED = [
    ("a convolution", "self.fc = «nn.Conv2d(3, 4, 5)»"),
    ("a class of the user's own", "self.fc = «Linear(3, 4)»"),
    ("a class of another library", "self.fc = «layers.Linear(3, 4)»"),
    ("a local name", "nn = other\n        self.fc = «nn.Linear(3, 4)»"),
    ("a bilinear layer", "self.fc = «nn.Bilinear(3, 4, 5)»"),
]


def texts(body: str, added: str) -> tuple[str, str]:
    before = f"{HEAD}{NET}{indent(body, ' ' * 8)}\n"
    after = before.replace("«", "").replace("»", "") + indent(added, " " * 8) + "\n"
    return before, after


named = pytest.mark.parametrize(
    ("call", "names", "body", "added"), [pytest.param(*case[1:], id=case[0]) for case in NAMED]
)


@named
def test_a_linear_layer_has_names(
    call: Initializer, names: tuple[str, ...], body: str, added: str
) -> None:
    before, after = texts(body, added)
    assert rewritten(before, names, calls=call) == after


@named
def test_a_second_run_changes_nothing(
    call: Initializer, names: tuple[str, ...], body: str, added: str
) -> None:
    before, after = texts(body, added)
    assert again(before, after, names, calls=call) == after


@pytest.mark.parametrize("body", [pytest.param(case[1], id=case[0]) for case in COUNTED])
def test_any_other_is_counted(body: str) -> None:
    source = f"import torch\n{HEAD}{NET}        {body}\n"
    result = rewritten(source, ["fc.weight"], calls=IN)
    assert "std=1.534 / self.fc.weight[0].numel() ** 0.5)" in result


def test_a_parameter_that_is_no_layer_s_weight_is_counted() -> None:
    before, after = texts(
        "self.rnn = «nn.Linear(3, 4)»",
        "nn.init.normal_(self.rnn.other, std=1.534 / self.rnn.other[0].numel() ** 0.5)",
    )
    assert rewritten(before, ["rnn.other"], calls=IN) == after


SOURCE = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, n=32):
        super().__init__()
        self.a = nn.Linear(n, n)
        self.b = nn.Linear(n, n)
        self.c = nn.Linear(n, n)
        self.d = nn.Linear(n, n)
        self.act = nn.GELU()

    def forward(self, x):
        return self.d(self.act(self.c(self.act(self.b(self.act(self.a(x)))))))
"""


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize("style", ["init", "method", "apply"])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_what_is_written_is_understood(
    tmp_path: Path, trace: bool, style: str, distribution: str
) -> None:
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    preferences = api.Preferences(style=style, distribution=distribution)
    options = api.Options(trace=trace, preferences=preferences)
    fixed = api.fix_all([str(path)], options)
    assert fixed.count > 1 and fixed.refused == () and fixed.findings == ()
    assert ".in_features**" in path.read_text() and "numel" not in path.read_text()
    assert api.fix_all([str(path)], options).files == ()
