"""The findings of a report for a page: the source line, the call to write, and the patch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from html import escape
from typing import TYPE_CHECKING

from initlint.output.excerpt import excerpt
from initlint.output.lines import joined
from initlint.output.phrases import call, fixability, place, summary
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Preferences, Report
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from initlint.fix.proposals import Proposals

# So many findings are listed, the others counted.
_MOST = 200


def findings(report: Report) -> Iterator[str]:
    """The part of the page with the findings, in the order of the report."""
    if not report.findings:
        yield f"<h2>Findings</h2>\n<p>{_text(summary(report))}</p>\n"
        return
    from initlint.fix.proposals import Proposals

    texts = texts_of(report)
    proposals = Proposals.of(report, Preferences())
    yield f"<h2>Findings</h2>\n<p>{_text(summary(report))}</p>\n"
    for finding in report.findings[:_MOST]:
        yield from _finding(finding, texts, proposals)
    more = len(report.findings) - _MOST
    if more > 0:
        yield f"<p>and {more} more findings</p>\n"


def _text(text: str) -> str:
    return escape(shown(text))


def _finding(finding: Finding, texts: Texts, proposals: Proposals) -> Iterator[str]:
    code = f'<span class="code {_text(finding.severity)}">{_text(finding.code)}</span>'
    where = _text(place(finding, texts))
    yield f'<article class="finding">\n<p>{where}: {code} {_text(finding.name)}: '
    yield f"{_text(finding.message)}</p>\n"
    source = _source(finding, texts)
    if source:
        yield f"<pre>{escape(source)}</pre>\n"
    written = call(finding, texts)
    if written:
        way = fixability(finding)
        yield f"<p>write <code>{_text(written)}</code>{f' ({_text(way)})' if way else ''}</p>\n"
    patch = _patch(finding, texts, proposals)
    if patch:
        yield f"<pre>{''.join(_coloured(patch))}</pre>\n"
    yield "</article>\n"


def _source(finding: Finding, texts: Texts) -> str:
    """The lines that the finding is about, with a mark below."""
    if finding.site is None:
        return ""
    cell, site = texts.in_cell(finding.site)
    lines = texts.notebook(site.path).lines(cell) if cell else texts.lines(site.path)
    return joined(excerpt(lines, site, ""))


def _patch(finding: Finding, texts: Texts, proposals: Proposals) -> list[str]:
    """The lines of the patch that the finding's fix makes; none without a fix."""
    edits = proposals.edits(finding)
    if not edits:
        return []
    path = edits[0].path
    old = [f"{line}\n" for line in texts.lines(path)]
    new = list(old)
    for edit in reversed(edits):
        new[edit.start - 1 : edit.end - 1] = edit.text.splitlines(keepends=True)
    return list(unified_diff(old, new, path, path, n=2))


def _coloured(patch: Sequence[str]) -> Iterator[str]:
    """The lines of a patch as HTML: what is added and what is taken away stands out."""
    kinds = {"+": "ins", "-": "del"}
    for turn, line in enumerate(patch):
        text = _text(line.rstrip("\r\n"))
        kind = kinds.get(line[:1], "") if turn > 1 else ""
        yield f"<{kind}>{text}</{kind}>\n" if kind else f"{text}\n"
