"""The format `full`, for people: each finding like a compiler's message, with its source."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.judge.wording import within
from initlint.output.excerpt import BAR, excerpt, gutter
from initlint.output.lines import Line, Styled, joined
from initlint.output.paint import style_of
from initlint.output.phrases import call, fixability, gaps, headline, summary
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report
from initlint.safe.shown import access

_SHOWN = 6


def render(report: Report, *, colour: bool = False) -> str:
    """All findings, each followed by an empty line."""
    texts = texts_of(report)
    found = (line for finding in report.findings for line in (*_lines(finding, texts), ""))
    return joined(found, colour=colour)


def render_whole(report: Report) -> str:
    """The findings, the gaps and the summary, as the command line prints them.

    Of a model that was filled: what was done with its parameters.
    """
    if report.outcomes:
        from initlint.output import filled

        return filled.render(report).rstrip()
    left_out = joined(f"not analysed: {line}" for line in gaps(report.unanalysed))
    return render(report) + left_out + summary(report)


def _lines(finding: Finding, texts: Texts) -> Iterator[Line]:
    yield headline(finding, finding.message, texts)
    notes, site = list(_notes(finding, texts)), finding.site
    if finding.site is not None:
        style = style_of(finding.severity)
        cell, site = texts.in_cell(finding.site)
        lines = texts.notebook(site.path).lines(cell) if cell else texts.lines(site.path)
        found = excerpt(lines, site, style)
        yield from found
        if found and notes:
            yield gutter(site), " ", BAR
    for note in notes:
        yield gutter(site), " ", Styled("=", "blue"), f" {note}"


def _spelled(model: str, parameter: str) -> str:
    """A parameter as its user writes it, within the model: conv1.weight, actor[2].weight."""
    name = within(model, parameter)
    return access("", parameter) if name == parameter else name


def _notes(finding: Finding, texts: Texts) -> Iterator[str]:
    if finding.parameters[1:]:
        model = finding.model if finding.site else ""
        others = [_spelled(model, name) for name in finding.parameters[1 : _SHOWN + 1]]
        more = len(finding.parameters) - 1 - len(others)
        yield f"also: {', '.join(others)}{f' and {more} more' if more else ''}"
    written = call(finding, texts)
    if written:
        way = fixability(finding)
        yield f"help: {written}{f' ({way})' if way else ''}"
    if finding.unfixed:
        yield f"no fix: {finding.unfixed}"
    hint = f"initlint rule {finding.code}"
    if hint not in finding.message:
        # A long message has no room for it.
        yield f"help: `{hint}`" if not written else f"more: `{hint}`"
