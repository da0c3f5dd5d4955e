"""The format `concise`: one line for each finding."""

from __future__ import annotations

from initlint.output.paint import painter
from initlint.output.phrases import headline
from initlint.records import Report


def render(report: Report, *, colour: bool = False) -> str:
    """`path:line:column: CODE name: message` for each finding."""
    paint = painter(colour)
    return "".join(f"{headline(f, f.message, paint)}\n" for f in report.findings)
