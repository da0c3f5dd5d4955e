"""The format `concise`: one line for each finding."""

from __future__ import annotations

from initlint.output.lines import joined
from initlint.output.phrases import headline, message
from initlint.project.sourcefiles import texts_of
from initlint.records import Report


def render(report: Report, *, colour: bool = False) -> str:
    """`path:line:column: CODE name: message` for each finding."""
    texts = texts_of(report)
    found = (headline(f, message(f, texts), texts) for f in report.findings)
    return joined(found, colour=colour)
