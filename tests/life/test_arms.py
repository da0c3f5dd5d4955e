"""Layers of one name in two arms of a constructor: each is listed, judged and corrected."""

from __future__ import annotations

from pathlib import Path

import pytest

import initlint

MODEL = """\
import torch
from torch import nn


class Trunk(nn.Module):
    def __init__(self, size{default}):
        super().__init__()
        {first}:
            self.body = nn.Sequential(nn.Linear(40, 300), nn.ReLU(), nn.Linear(300, 300), nn.ReLU())
        {second}:
            self.body = nn.Sequential(nn.Linear(40, 80), nn.ReLU(), nn.Linear(80, 90), nn.ReLU())
        self.head = nn.Linear(300, 2)

    def forward(self, x):
        return self.head(self.body(x))


def build(size):
    return Trunk(size)
"""
TESTS = {
    "else": ('if size == "l"', "else"),
    "elif": ('if size == "l"', 'elif size == "s"'),
    "not": ('if not size == "s"', "else"),
    "number": ("if size > 100", "else"),
}
BODIES = [[300, 40], [300, 300], [80, 40], [90, 80]]


@pytest.mark.parametrize("default", ["", '="l"', "=None"], ids=["must", "text", "none"])
@pytest.mark.parametrize("tests", TESTS.values(), ids=TESTS.keys())
def test_layers_of_both_arms_are_listed_and_judged(tmp_path, tests, default):
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(first=tests[0], second=tests[1], default=default))
    report = initlint.check(str(path))
    bodies = [layer for layer in report.layers if layer.layer.startswith("body.")]
    assert [list(layer.shape) for layer in bodies] == BODIES
    assert {layer.parameter for layer in bodies} == {"body.0.weight", "body.2.weight"}
    assert [(f.code, f.layer) for f in report.findings] == [("INIT101", "body.2")] * 2
    assert len({f.site.line for f in report.findings}) == 2


def test_each_arm_is_corrected_in_place(tmp_path):
    path = Path(tmp_path, "net.py")
    path.write_text(MODEL.format(first="if size", second="else", default=""))
    fixed = initlint.fix(str(path))
    call = 'nn.init.kaiming_normal_(self.body[2].weight, mode="fan_in", nonlinearity="relu")'
    assert fixed.source.count(f"            {call}\n") == 2
    assert not fixed.findings


def test_an_arm_that_is_filled_well_is_silent(tmp_path):
    text = MODEL.format(first="if size", second="else", default="")
    call = 'nn.init.kaiming_normal_(self.body[2].weight, mode="fan_in", nonlinearity="relu")'
    text = text.replace("        else:\n", f"            {call}\n        else:\n")
    path = Path(tmp_path, "net.py")
    path.write_text(text)
    report = initlint.check(str(path))
    assert [f.site.line for f in report.findings] == [text.split("\n").index("        else:") + 2]
