"""Some layers of a line: told apart by index, or by the attribute that holds the activation."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest
from forms import HEAD, TAIL
from marked import ONES, ZEROS, again, refusal, rewritten

from initlint.safe.shown import access

RUN = "self.fcs = nn.ModuleList([«nn.Linear(3, 3)» for _ in range(n)])"
PAIRS = (
    "self.net = nn.Sequential(\n"
    "    nn.Tanh(), *[m for _ in range(n) for m in («nn.Linear(3, 3)», nn.ReLU())]\n)"
)


def net(body: str, tail: str = TAIL) -> str:
    return f"{HEAD}{indent(dedent(body).strip(), ' ' * 8)}\n{tail}"


def weights(prefix: str, *indices: int) -> tuple[str, ...]:
    return tuple(f"{prefix}.{index}.weight" for index in indices)


SPARED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {
    "the last": (RUN, weights("fcs", 0, 1), weights("fcs", 2), "for layer in self.fcs[:-1]:"),
    "the first": (RUN, weights("fcs", 1, 2), weights("fcs", 0), "for layer in self.fcs[1:]:"),
    "both ends": (RUN, weights("fcs", 1), weights("fcs", 0, 2), "for layer in self.fcs[1:-1]:"),
    "between others": (
        "self.fcs = nn.ModuleList([nn.ReLU()] + [«nn.Linear(3, 3)» for _ in range(n)] + [n])",
        weights("fcs", 1, 2),
        weights("fcs", 3),
        "for layer in self.fcs[1:-2]:",
    ),
    "every second": (
        PAIRS,
        weights("net", 1, 3),
        weights("net", 5),
        "for layer in self.net[1:-2:2]:",
    ),
    "members of blocks": (
        "self.fcs = nn.ModuleList([nn.Sequential(«nn.Linear(3, 3)», nn.ReLU()) for _ in range(n)])",
        ("fcs.0.0.weight", "fcs.1.0.weight"),
        ("fcs.2.0.weight",),
        "for block in self.fcs[:-1]:",
    ),
}


@pytest.mark.parametrize(("body", "names", "spared", "header"), SPARED.values(), ids=SPARED)
def test_a_slice_leaves_out(
    body: str, names: tuple[str, ...], spared: tuple[str, ...], header: str
) -> None:
    result = rewritten(net(body), [names], calls=ZEROS, spared=spared)
    tensor = "block[0].weight" if "block" in header else "layer.weight"
    added = f"        {header}\n            nn.init.zeros_({tensor})\n"
    assert result.replace(added, "", 1) == net(body).replace("«", "").replace("»", "")
    assert again(net(body), result, [names], calls=ZEROS, spared=spared) == result


def test_members_that_stand_apart_are_named_by_index() -> None:
    names, spared = weights("fcs", 0, 2), weights("fcs", 1)
    result = rewritten(net(RUN), [names], calls=ZEROS, spared=spared)
    calls = "".join(f"        nn.init.zeros_(self.fcs[{index}].weight)\n" for index in (0, 2))
    assert calls in result
    assert again(net(RUN), result, [names], calls=ZEROS, spared=spared) == result


TOLD_APART_BY_NOTHING: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "one layer": ("self.fc = «nn.Linear(3, 3)»", ("a.fc.weight",), ("b.fc.weight",)),
    "a dict": (
        'self.fcs = nn.ModuleDict({k: «nn.Linear(3, 3)» for k in "abc"})',
        ("fcs.a.weight",),
        ("fcs.b.weight",),
    ),
    "two loops": (
        "self.fcs = nn.ModuleList([nn.ModuleList([«nn.Linear(3, 3)» for _ in n]) for _ in n])",
        ("fcs.0.0.weight",),
        ("fcs.0.1.weight",),
    ),
    "other places than the source says": (RUN, weights("fcs", 1, 4), weights("fcs", 2)),
    "many that stand apart": (RUN, weights("fcs", 0, 2, 4, 6, 8), weights("fcs", 1, 3, 5, 7)),
    "grown in a loop": (
        "self.fcs = nn.ModuleList()\nfor _ in range(n):\n    self.fcs.append(«nn.Linear(3, 3)»)",
        weights("fcs", 0),
        weights("fcs", 1),
    ),
}


@pytest.mark.parametrize(
    ("body", "names", "spared"), TOLD_APART_BY_NOTHING.values(), ids=TOLD_APART_BY_NOTHING
)
def test_refused(body: str, names: tuple[str, ...], spared: tuple[str, ...]) -> None:
    reason = refusal(net(body), [names], calls=ZEROS, spared=spared)
    stay = "stay as they are" if len(spared) > 1 else "stays as it is"
    shown = access("", spared[0]).removeprefix("model")
    assert reason.startswith(f"the line also makes {shown}")
    assert reason.endswith(f"which {stay}: fill the others in a loop of their own")


CASES = ((("ReLU",), ZEROS), (("Tanh", "Hardtanh"), ONES))
TESTED = """\
        if isinstance(%s, nn.ReLU):
            nn.init.zeros_(%s)
        elif isinstance(%s, (nn.Tanh, nn.Hardtanh)):
            nn.init.ones_(%s)
"""
FORWARD = "\n    def forward(self, x):\n        return self.act(self.fc(x))\n"
LAYER = "self.fc = «nn.Linear(3, 3)»\n"
DECIDED = {
    "a choice": f"{LAYER}self.act = nn.ReLU() if n else nn.Tanh()",
    "an argument": f"{LAYER}self.act = n",
    "a class given as an argument": f"{LAYER}self.act = n()",
    "a table": f"{LAYER}self.act = ACTS[n]",
    "by name": f"{LAYER}self.act = getattr(nn, n)()",
    "two branches": f"{LAYER}if n:\n    self.act = nn.ReLU()\nelse:\n    self.act = nn.Tanh()",
    "beside what never varies": f"{LAYER}self.norm = nn.LayerNorm(3)\nself.act = n",
}


@pytest.mark.parametrize("body", DECIDED.values(), ids=DECIDED)
def test_the_attribute_decides(body: str) -> None:
    source = net(body, FORWARD)
    wanted: dict[str, Any] = {"calls": ZEROS, "cases": CASES}
    result = rewritten(source, ["fc.weight"], **wanted)
    tested = TESTED % ("self.act", "self.fc.weight", "self.act", "self.fc.weight")
    assert result == source.replace("«", "").replace("»", "").replace(FORWARD, tested + FORWARD)
    assert again(source, result, ["fc.weight"], **wanted) == result


def test_the_next_member_decides() -> None:
    source = net("self.net = nn.Sequential(«nn.Linear(3, 3)», nn.Dropout(), n())")
    result = rewritten(source, ["net.0.weight"], calls=ZEROS, cases=CASES)
    assert TESTED % (("self.net[2]", "self.net[0].weight") * 2) in result


UNCLEAR = "its instances meet different activations, and no one attribute of the class says which"
UNDECIDED = {
    "a function of forward": (net(LAYER), UNCLEAR),
    "always the same": (net(f"{LAYER}self.act = nn.ReLU()", FORWARD), UNCLEAR),
    "two that vary": (
        net(
            f"{LAYER}self.act = n\nself.other = n",
            FORWARD.replace("self.act(", "self.other(").replace("x))", "self.act(x)))"),
        ),
        UNCLEAR,
    ),
    "a block of one's own": (
        "class Act:\n    pass\n\n\n" + net(f"{LAYER}self.act = Act()", FORWARD),
        UNCLEAR,
    ),
    "not there yet": (
        net("if n:\n    self.fc = «nn.Linear(3, 3)»\nself.act = n", FORWARD),
        "the attribute that decides its activation may not be set yet",
    ),
}


@pytest.mark.parametrize(("source", "reason"), UNDECIDED.values(), ids=UNDECIDED)
def test_nothing_decides(source: str, reason: str) -> None:
    assert refusal(source, ["fc.weight"], calls=ZEROS, cases=CASES) == reason
