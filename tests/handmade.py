"""Reports made by hand, with the source files that they speak of."""

from types import MappingProxyType

from initlint.records import (
    Draw,
    Finding,
    Fix,
    Following,
    Initializer,
    Layer,
    Parameter,
    Report,
    Rule,
    Site,
    Unanalysed,
)

NET = '''\
"""A net with one layer of each kind that a report has to show."""
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.body = nn.Sequential(*[nn.Linear(8, 8) for _ in range(3)])
        self.head = nn.Linear(
            8,
            4,  # classes
        )
        nn.init.normal_(self.head.weight, std=3.0)
'''
SOURCES = {"net.py": NET, "pkg/müller.py": "größe = 3\nschicht = Größe(größe, 7)\n"}

DEFAULT = Initializer("kaiming_uniform_", {"a": 5**0.5}, 0.1, default=True)
KAIMING = Initializer(
    "kaiming_normal_", {"mode": "fan_in", "nonlinearity": "relu"}, 0.25, reason="He 2015"
)
RELU = Following("relu")

CONV_SITE = Site("net.py", 8, 21, 8, 39)
BODY_SITE = Site("net.py", 9, 37, 9, 52)
HEAD_SITE = Site("net.py", 10, 21, 13, 10)
HEAD_INIT = Site("net.py", 14, 9, 14, 51)


def layer(name="conv", **changes):
    given = {
        "model": "net.py:Net",
        "layer": name,
        "parameter": f"{name}.weight",
        "type": "Linear",
        "shape": (8, 8),
        "fan_in": 8,
        "fan_out": 8,
        "following": RELU,
        "current": DEFAULT,
        "recommended": KAIMING,
        "site": CONV_SITE,
    }
    return Layer(**given | changes)


def finding(of="conv", **changes):
    given = {
        "code": "INIT101",
        "name": "default-before-rectifier",
        "severity": "warning",
        "message": f"{of} is followed by relu, but the default gives it std 0.1, "
        "0.40× the std it needs",
        "site": CONV_SITE,
        "model": "net.py:Net",
        "layer": of,
        "parameter": f"{of}.weight",
        "following": RELU,
        "current": DEFAULT,
        "recommended": KAIMING,
        "fix": Fix("insert", CONV_SITE, KAIMING, "safe"),
        "parameters": (f"{of}.weight",),
    }
    return Finding(**given | changes)


def three_findings():
    """A safe fix, one line that makes several layers, and an unsafe fix over several lines."""
    conv = finding("conv")
    body = finding(
        "body.0",
        site=BODY_SITE,
        parameters=tuple(f"body.{n}.weight" for n in range(3)),
        fix=Fix("insert", BODY_SITE, KAIMING, "safe"),
        message="body.0 is followed by relu",
    )
    head = finding(
        "head",
        code="INIT106",
        name="explicit-scale-off",
        severity="error",
        confidence="medium",
        site=HEAD_SITE,
        current=Initializer("normal_", {"std": 3.0}, 3.0, site=HEAD_INIT),
        fix=Fix("correct", HEAD_INIT, KAIMING, "unsafe"),
        message="head is followed by relu, but normal_(std=3) at net.py:14 gives it std 3, 12×",
    )
    return conv, body, head


def live_finding():
    """Of a live model: there is no source to point at and nothing to fix."""
    measured = Initializer("measured", {}, 0.1)
    return finding("0", site=None, model="Sequential", current=measured, fix=None)


def all_layers():
    return (
        layer("conv", type="Conv2d", shape=(8, 3, 3, 3), fan_in=27, fan_out=72),
        layer(
            "stages.0.blocks.11.attention.output_projection",
            following=Following("leaky_relu", {"negative_slope": 0.2}, ("norm", "residual")),
            harmless="a normalisation follows",
            site=BODY_SITE,
        ),
        layer("branch", branch="last", current=Initializer("zeros_", {}, 0.0)),
        layer("free", current=None, recommended=None, following=Following("unknown")),
        layer("odd", current=Initializer("copy_", {}, None), following=Following("mixed", {
            "activations": ("relu", "tanh")})),
        layer("head", current=Initializer("normal_", {"std": 3.0}, 3.0), head=True),
    )  # fmt: skip


def bias() -> Parameter:
    """A bias that torch drew, and that is zeros if a condition holds."""
    made = Site("net.py", 8, 21, 8, 36)
    drawn = Draw(
        "uniform_", "uniform_", {"a": -0.5, "b": 0.5}, 0.0, 0.288675, by="torch", site=made
    )
    zeros = Draw("zeros_", "zeros_", {}, 0.0, 0.0, by="user", certain=False)
    history = (drawn, zeros)
    return Parameter("Net", "conv.bias", "Conv2d", "bias", (8,), made, True, history, True)


def full_report():
    gaps = (
        Unanalysed("net.py:Decoder", "needs width; give --arg width=VALUE"),
        Unanalysed("other.py:Net", "other.py:3: forward raises NameError: name 'y' is not defined"),
    )
    return Report(all_layers(), three_findings(), gaps, parameters=(bias(),))


CLEAN = Report(layers=(layer(),))
FOUND = Report(all_layers(), three_findings())
FAILED_TARGET = Unanalysed("net.py:Net", "net.py:3: forward raises NameError: no y")
PASSED_OVER = Unanalysed("net.py:Decoder", "net.py:Decoder: needs width; give --arg width=VALUE")
DIFF = "--- a/net.py\n+++ b/net.py\n@@ -1 +1 @@\n-x\n+y\n"
FILES = (("net.py", b"x\n", b"y\n"),)


def rule(code="INIT101", name="default-before-rectifier", **changes):
    text = "Short.\n\n## What\n\nIt is so.\n\n## Bad\n\n```python\n## no heading\nbad()\n```\n"
    given = {
        "code": code,
        "name": name,
        "group": "does not suit",
        "severity": "warning",
        "confidence": "high",
        "fix": "safe",
        "since": "0.1.0",
        "default": changes.get("confidence") != "low" and not code.startswith("INIT4"),
        "summary": "Short.",
        "sections": MappingProxyType({"What": "It is so.", "Bad": "```python\nbad()\n```"}),
        "text": text,
        "path": f"rules/{code}.md",
    }
    return Rule(**given | changes)


def rules(*more):
    """A small catalogue: every group, a rule that is off by its confidence, the pedantic group."""
    cards = (
        rule("INIT001", "uninitialised-parameter", severity="error", fix=""),
        rule("INIT101", "default-before-rectifier"),
        rule("INIT102", "xavier-before-rectifier"),
        rule("INIT106", "explicit-scale-off", confidence="medium"),
        rule("INIT304", "saturating-hidden-layers", confidence="low"),
        rule("INIT401", "harmless-mismatch", severity="note"),
        *more,
    )
    return MappingProxyType({card.code: card for card in cards})
