"""The format `concise`: one line for each finding."""

from __future__ import annotations

from initlint.output.lines import joined
from initlint.output.phrases import headline, message
from initlint.records import Report


def render(report: Report, *, colour: bool = False) -> str:
    """`path:line:column: CODE name: message` for each finding."""
    return joined((headline(f, message(f)) for f in report.findings), colour=colour)
