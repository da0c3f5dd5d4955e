"""What filling a model did, for people: what was filled with what, what was kept, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from initlint.output.phrases import counted
from initlint.records import Outcome, Report
from initlint.safe.shown import shown

_SHOWN = 6
# What no weight of a model is, by the scope under which nothing was filled.
_NEEDLESS = {
    "recommended": "is uninitialised, has a finding, or holds a default where another is better",
    "all": "has a recommendation that could be drawn",
}
_FINDINGS = "is uninitialised or has a finding"
# For somebody who has asked for a policy, and may wonder why weights stay.
_HOW = {
    "orthogonal": " The policy orthogonal keeps what is no draw; the scope all draws every weight "
    "that has a recommendation, with the std that it needs.",
    "calibrated": " The policy calibrated says how weights are drawn, the scope which: "
    "all draws every weight that has a recommendation.",
}
_STD = re.compile(r"std (\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def render(report: Report) -> str:
    """Every parameter and buffer, those that were treated alike together, and the sum of it."""
    filled = [one for one in report.outcomes if one.status == "filled"]
    lines = [*_grouped("filled", filled), *_others(report, "unknown", "not understood")]
    if filled:
        lines += _others(report, "kept", "kept")
    return "".join(f"{line}\n" for line in [*lines, summary(report)])


def summary(report: Report) -> str:
    """One line: how many were filled, kept, and not understood."""
    counts = dict.fromkeys(("filled", "kept", "unknown"), 0)
    for one in report.outcomes:
        counts[one.status] += 1
    rest = f"{counts['kept']} kept"
    rest += f", {counts['unknown']} not understood" if counts["unknown"] else ""
    found = f"Filled {counted(counts['filled'], 'parameter')}; {rest}."
    if not counts["filled"]:
        weight = "weight that is understood" if counts["unknown"] else "weight"
        found = f"Nothing to fill: no {weight} {_NEEDLESS.get(report.scope, _FINDINGS)} ({rest})."
    is_part = report.scope != "all" and counts["kept"] > 0
    return found + (_HOW.get(report.policy, "") if is_part else "")


def _others(report: Report, status: str, word: str) -> Iterator[str]:
    """The parameters of a status."""
    return _grouped(word, [one for one in report.outcomes if one.status == status])


def _grouped(word: str, outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A line for all parameters that were treated alike, whatever their stds are."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(_STD.sub("std", _treatment(one)), []).append(one)
    for group in groups.values():
        more = f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else ""
        names = ", ".join(one.parameter for one in group[:_SHOWN])
        yield shown(f"{word} {names}{more}: {_ranged(list(map(_treatment, group)))}")


def _treatment(one: Outcome) -> str:
    """What was done with a parameter: from what to what, and why."""
    if one.status != "filled":
        return one.reason
    why = f" ({one.reason})" if one.reason else ""
    return f"{one.before} → {one.after}{why}"


def _ranged(texts: list[str]) -> str:
    """Texts that differ in their stds alone as one, with the least and the largest of each."""
    columns = zip(*(_STD.findall(text) for text in texts), strict=True)
    ranges = iter([sorted(column, key=float) for column in columns])

    def spelled(found: re.Match[str]) -> str:
        stds = next(ranges)
        return f"std {stds[0]}" + (f" to {stds[-1]}" if stds[0] != stds[-1] else "")

    return _STD.sub(spelled, texts[0])
