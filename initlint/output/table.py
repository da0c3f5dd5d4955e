"""A report as HTML, which notebooks show where a report is the last value of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from initlint.output.filled import summary as summary_of_filling
from initlint.output.phrases import call, fixability, place, summary
from initlint.project.sourcefiles import texts_of
from initlint.records import Report
from initlint.safe.shown import shown

_HEADS = ("place", "rule", "model", "parameter", "finding", "write")
_OF_OUTCOMES = ("parameter", "before", "filled with", "why")
_MOST = 200


def render(report: Report) -> str:
    """A table of the findings, or of what was filled; the gaps in a list, and the summary."""
    if report.outcomes:
        return _filled(report)
    texts = texts_of(report)
    rows = [
        (
            place(finding, texts),
            f"{finding.code} {finding.name}",
            finding.model,
            finding.parameter,
            finding.message,
            call(finding, texts) + (f" ({way})" if (way := fixability(finding)) else ""),
        )
        for finding in report.findings[:_MOST]
    ]
    more = len(report.findings) - len(rows)
    parts = [_table(_HEADS, rows)] if rows else []
    parts += [f"<p>and {more} more findings</p>"] if more else []
    if report.unanalysed:
        gaps = "".join(
            f"<li>{_text(gap.target)}: {_text(gap.reason)}</li>"
            for gap in report.unanalysed[:_MOST]
        )
        parts.append(f"<p>not analysed:</p><ul>{gaps}</ul>")
    parts.append(f"<p>{_text(summary(report))}</p>")
    return "".join(parts)


def _filled(report: Report) -> str:
    """A table of the parameters that were filled, and how many were kept."""
    filled = [one for one in report.outcomes if one.status == "filled"]
    rows = [(one.parameter, one.before, one.after, one.reason) for one in filled[:_MOST]]
    more = len(filled) - len(rows)
    parts = [_table(_OF_OUTCOMES, rows)] if rows else []
    parts += [f"<p>and {more} more</p>"] if more else []
    return "".join([*parts, f"<p>{_text(summary_of_filling(report))}</p>"])


def _table(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(shown(text))
