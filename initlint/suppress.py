"""Comments that silence findings: `# noqa: CODE`, `# initlint: ignore[…]`, `# initlint: skip-file`."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from initlint.records import Finding, Report
from initlint.sourcefiles import SourceFiles

_Report = TypeVar("_Report", bound=Report)
_ENTRY = r"(?:[A-Za-z]+[0-9]+|[A-Za-z]+(?:-[A-Za-z]+)+)"
_NOQA = re.compile(
    rf"#\s*noqa\b(?P<listed>\s*:\s*(?P<entries>{_ENTRY}(?:[\s,]+{_ENTRY})*)?)?", re.IGNORECASE
)
_IGNORE = re.compile(r"#\s*initlint:\s*ignore\[(?P<entries>[^\]]*)\]", re.IGNORECASE)
_SKIP_FILE = re.compile(r"#\s*initlint:\s*skip-file\b", re.IGNORECASE)
_ANY = "*"
_LAYOUT = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


@dataclass(frozen=True, slots=True)
class Suppressions:
    """What one file's comments silence: all of it, or codes and names by line."""

    whole_file: bool = False
    by_line: dict[int, frozenset[str]] = field(default_factory=dict)

    def cover(self, finding: Finding) -> bool:
        """Whether a comment on a line of the reported expression silences `finding`."""
        if finding.site is None:
            return False
        span = range(finding.site.line, finding.site.end_line + 1)
        return self.whole_file or any(
            _names(finding, entry) for line in span for entry in self.by_line.get(line, ())
        )


def suppressed(finding: Finding, lines: Sequence[str]) -> bool:
    """Whether a comment in the file of these `lines` silences `finding`."""
    return suppressions(lines).cover(finding)


def filter_report(report: _Report) -> _Report:
    """The report without the findings that a comment in their file silences."""
    files, known = SourceFiles(), {}
    for path in {finding.site.path for finding in report.findings if finding.site}:
        known[path] = suppressions(files.lines(path))
    kept = [f for f in report.findings if not (f.site and known[f.site.path].cover(f))]
    return replace(report, findings=tuple(kept))


def suppressions(lines: Sequence[str]) -> Suppressions:
    """The suppressing comments of a file; none where it cannot be tokenised."""
    if not any("noqa" in (low := line.lower()) or "initlint:" in low for line in lines):
        return Suppressions()
    by_line: dict[int, frozenset[str]] = {}
    for comment, target in _comments(lines):
        if _SKIP_FILE.search(comment):
            return Suppressions(whole_file=True)
        for line in target:
            by_line[line] = by_line.get(line, frozenset()) | _entries(comment)
    return Suppressions(by_line=by_line)


def _names(finding: Finding, entry: str) -> bool:
    """A code, the beginning of one (as in flake8), a name, or everything."""
    return entry in (_ANY, finding.name) or finding.code.startswith(entry.upper())


def _entries(comment: str) -> frozenset[str]:
    found: set[str] = set()
    noqa = _NOQA.search(comment)
    if noqa is not None:
        # A list of which nothing can be understood silences nothing, least of all everything.
        found.update(_split(noqa["entries"] or "") if noqa["listed"] else [_ANY])
    for ignore in _IGNORE.finditer(comment):
        found.update(_split(ignore["entries"]))
    return frozenset(found)


def _split(entries: str) -> Iterable[str]:
    return (entry for entry in re.split(r"[\s,]+", entries) if re.fullmatch(_ENTRY, entry))


def _comments(lines: Sequence[str]) -> Iterator[tuple[str, range]]:
    """Each comment with the lines that it speaks of.

    A trailing comment speaks of its own line. Of our own form, one that stands alone speaks of
    the statement below it, or inside brackets of the line below it.
    """
    waiting: list[str] = []
    first, depth, start = 0, 0, 0
    for token in _tokens(lines):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if token.line[: token.start[1]].strip():
                yield token.string, range(line, line + 1)
            elif not _NOQA.search(token.string):
                waiting.append(token.string)
                if _SKIP_FILE.search(token.string):
                    yield token.string, range(line, line + 1)
            continue
        if token.type in _LAYOUT:
            continue
        del first, depth, start
        return


def _tokens(lines: Sequence[str]) -> Iterator[tokenize.TokenInfo]:
    source = iter([f"{line}\n" for line in lines])
    try:
        yield from tokenize.generate_tokens(lambda: next(source, ""))
    except (tokenize.TokenError, SyntaxError):
        return
