"""How often each rule spoke, for --statistics."""

from __future__ import annotations

from collections import Counter

from initlint.records import Report


def render(report: Report) -> str:
    """One line for each rule: findings, code, name; most findings first."""
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    width = len(str(max(counts.values(), default=0)))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{count:>{width}}  {code}  {name}\n" for (code, name), count in ordered)
