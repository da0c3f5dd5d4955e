"""Layers made for the fields of a dataclass: filled in `__post_init__`, or left with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from marked import ZEROS, again, refusal, rewritten

from initlint import api

HEAD = """\
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import nn


class Base(nn.Module):
    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls)
        nn.Module.__init__(made)
        return made


@dataclass(eq=False)
class Net(Base):
"""
FIELD = "    a: nn.Module = field(init=False, default_factory=lambda: «nn.Linear(64, 64)»)\n"

FORMS = [
    (
        "at the end of the method",
        ("a.weight",),
        f"{FIELD}\n    def __post_init__(self):\n        self.n = 3\n",
        "        nn.init.zeros_(self.a.weight)\n",
    ),
    (
        "members of what is made",
        ("a.0.weight", "a.1.weight"),
        FIELD.replace("«nn.Linear(64, 64)»", "nn.Sequential(«nn.Linear(3, 4)», «nn.Linear(4, 5)»)")
        + "\n    def __post_init__(net):\n        pass\n",
        "        nn.init.zeros_(net.a[0].weight)\n        nn.init.zeros_(net.a[1].weight)\n",
    ),
]
LEFT = [
    (
        "a field that the constructor takes",
        FIELD.replace("init=False, ", "") + "\n    def __post_init__(self):\n        pass\n",
        "the caller may pass another module for this field",
    ),
    ("no method", FIELD, "the dataclass has no `__post_init__` to put the call into"),
    (
        "another method that might not run",
        f"{FIELD}\n    def build(self):\n        pass\n",
        "the dataclass has no `__post_init__` to put the call into",
    ),
    (
        "a method that may end early",
        f"{FIELD}\n    def __post_init__(self):\n        if x:\n            return\n        y = 1",
        "it is made for a field, and calls cannot follow `__post_init__`",
    ),
    (
        "a method on one line",
        f"{FIELD}\n    def __post_init__(self): pass\n",
        "it is made for a field, and calls cannot follow `__post_init__`",
    ),
    (
        "replaced in the method",
        f"{FIELD}\n    def __post_init__(self):\n        self.a = None\n",
        "it is made for a field, and calls cannot follow `__post_init__`",
    ),
    (
        "a default that all instances share",
        "    a: nn.Module = «nn.Linear(64, 64)»\n",
        "it is made in the body of a class, not in a method",
    ),
]

forms = pytest.mark.parametrize(
    ("names", "body", "added"), [pytest.param(*case[1:], id=case[0]) for case in FORMS]
)


@forms
def test_filled_where_the_instance_is_complete(
    names: tuple[str, ...], body: str, added: str
) -> None:
    before = HEAD + body
    after = before.replace("«", "").replace("»", "") + added
    assert rewritten(before, names, calls=ZEROS) == after
    assert again(before, after, names, calls=ZEROS) == after


@pytest.mark.parametrize(("body", "reason"), [pytest.param(*case[1:], id=case[0]) for case in LEFT])
def test_left_alone(body: str, reason: str) -> None:
    assert refusal(HEAD + body, ["a.weight"], calls=ZEROS) == reason


def test_a_class_that_is_no_dataclass() -> None:
    source = HEAD.replace("@dataclass(eq=False)\n", "") + FORMS[0][2]
    reason = "it is made in the body of a class, not in a method"
    assert refusal(source, ["a.weight"], calls=ZEROS) == reason


NET = """\
    n: int = 64
    a: nn.Linear = field(init=False, default_factory=lambda: nn.Linear(64, 64))
    b: nn.Linear = field(init=False, default_factory=lambda: nn.Linear(64, 64))
    c: nn.Linear = field(init=False, default_factory=lambda: nn.Linear(64, 10))
    first: nn.Linear = field(init=False, default_factory=lambda: nn.Linear(64, 64))

    def __post_init__(self):
        self.scale = 3

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(self.first(x))))))
"""


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
def test_a_model_with_such_fields_is_repaired(tmp_path: Path, trace: bool) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + NET)
    options = api.Options(trace=trace)
    fixed = api.fix_all([str(path)], options)
    assert (fixed.count, fixed.refused, fixed.findings) == (2, (), ())
    lines = path.read_text().splitlines()
    assert [line.strip() for line in lines if "nn.init" in line] == [
        'nn.init.kaiming_normal_(self.a.weight, mode="fan_in", nonlinearity="relu")',
        'nn.init.kaiming_normal_(self.b.weight, mode="fan_in", nonlinearity="relu")',
    ]
    assert api.fix_all([str(path)], options).files == ()
