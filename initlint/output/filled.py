"""What filling a model did, for people: what was filled with what, what was kept, and why."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.output.phrases import counted
from initlint.records import Outcome, Report
from initlint.safe.shown import shown

_SHOWN = 6


def render(report: Report) -> str:
    """Every parameter and buffer, those kept for one reason together, and the sum of it."""
    filled = [one for one in report.outcomes if one.status == "filled"]
    lines = list(map(_filled, filled))
    if filled:
        lines += [*_others(report, "unknown", "not understood"), *_others(report, "kept", "kept")]
    return "".join(f"{line}\n" for line in [*lines, summary(report)])


def summary(report: Report) -> str:
    """One line: how many were filled, kept, and not understood."""
    counts = dict.fromkeys(("filled", "kept", "unknown"), 0)
    for one in report.outcomes:
        counts[one.status] += 1
    rest = f"{counts['kept']} kept"
    rest += f", {counts['unknown']} not understood" if counts["unknown"] else ""
    if not counts["filled"]:
        return f"Nothing to fill: no weight is uninitialised or has a finding ({rest})."
    return f"Filled {counted(counts['filled'], 'parameter')}; {rest}."


def _filled(one: Outcome) -> str:
    why = f" ({one.reason})" if one.reason else ""
    return shown(f"filled {one.parameter}: {one.before} → {one.after}{why}")


def _others(report: Report, status: str, word: str) -> Iterator[str]:
    """The parameters of a status, those with one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for one in report.outcomes:
        if one.status == status:
            reasons.setdefault(one.reason, []).append(one.parameter)
    for reason, names in reasons.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield shown(f"{word} {', '.join(names[:_SHOWN])}{more}: {reason}")
