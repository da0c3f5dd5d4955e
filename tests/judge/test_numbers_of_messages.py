"""The number in a message is the one that the table of layers shows."""

import re

import pytest

import initlint

PLAIN = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 128)
        self.b = nn.Linear(128, 128)
        self.c = nn.Linear(128, 10)
        nn.init.normal_(self.a.weight, std=.02)
        nn.init.normal_(self.b.weight, std=.02)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())
"""

FAN_OUT = """
import math
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        for _ in range(4):
            self.layers.append(nn.Linear(64, 16))
            self.layers.append(nn.ReLU())
            self.layers.append(nn.Linear(16, 64))
            self.layers.append(nn.ReLU())
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, a=math.sqrt(5), mode="fan_out")

    def forward(self, x):
        return self.layers(x)
"""


def said(message):
    number, of = re.search(r"([\d.]+)× the (std|gain) it needs", message).groups()
    return float(number), of


def test_the_share_of_the_std_is_that_of_the_recommended_one():
    report = initlint.check(PLAIN)
    assert [finding.layer for finding in report.findings] == ["a", "b"]
    for finding in report.findings:
        share = finding.current.std / finding.recommended.std
        assert said(finding.message) == (pytest.approx(share, abs=0.006), "std")


def test_where_the_stds_are_close_the_gain_is_what_is_off():
    """By fan_out, 1/√3 over 16 units is 0.82 of √2 over 64; the gradient has 0.41 a layer."""
    findings = {finding.layer: finding for finding in initlint.check(FAN_OUT).findings}
    assert said(findings["layers.2"].message) == (0.41, "gain")
    assert findings["layers.2"].current.std / findings["layers.2"].recommended.std > 0.8
