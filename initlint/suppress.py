"""Comments that silence findings: `noqa: CODE`, `initlint: ignore[…]`, `initlint: skip-file`."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from initlint.records import Finding, Report
from initlint.sourcefiles import lines_of

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
    paths = {finding.site.path for finding in report.findings if finding.site}
    known = {path: suppressions(lines_of(path)) for path in paths}
    kept = [f for f in report.findings if not (f.site and known[f.site.path].cover(f))]
    return replace(report, findings=tuple(kept))


def suppressions(lines: Sequence[str]) -> Suppressions:
    """The suppressing comments of a file; none where it cannot be tokenised."""
    if not any("noqa" in (low := line.lower()) or "initlint:" in low for line in lines):
        return Suppressions()
    by_line: dict[int, frozenset[str]] = {}
    for comment, spoken_of, alone in _comments(lines):
        if _SKIP_FILE.search(comment):
            return Suppressions(whole_file=True)
        entries = _ignored(comment) if alone else _ignored(comment) | _noqa(comment)
        for line in spoken_of:
            by_line[line] = by_line.get(line, frozenset()) | entries
    return Suppressions(by_line=by_line)


def _names(finding: Finding, entry: str) -> bool:
    """A code, the beginning of one (as in flake8), a name, or everything."""
    return entry == _ANY or entry.lower() == finding.name or finding.code.startswith(entry.upper())


def _noqa(comment: str) -> frozenset[str]:
    found = _NOQA.search(comment)
    if found is None:
        return frozenset()
    # A list of which nothing can be understood silences nothing, least of all everything.
    return frozenset(_split(found["entries"] or "") if found["listed"] else [_ANY])


def _ignored(comment: str) -> frozenset[str]:
    lists = [found["entries"] for found in _IGNORE.finditer(comment)]
    return frozenset(entry for entries in lists for entry in _split(entries))


def _split(entries: str) -> Iterable[str]:
    return (entry for entry in re.split(r"[\s,]+", entries) if re.fullmatch(_ENTRY, entry))


def _comments(lines: Sequence[str]) -> Iterator[tuple[str, range, bool]]:
    """Each comment, the lines that it speaks of, and whether it stands alone on its line.

    A trailing comment speaks of its own line; one that stands alone of the statement below it, or
    inside brackets of the line below it.
    """
    waiting: list[str] = []
    above: list[str] = []
    start = 0
    for token in _tokens(lines):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if token.line[: token.start[1]].strip():
                yield token.string, range(line, line + 1), False
            else:
                waiting.append(token.string)
        elif token.type == tokenize.NEWLINE:
            yield from ((comment, range(start, line + 1), True) for comment in above)
            above, start = [], 0
        elif token.type not in _LAYOUT:
            if not start:
                above, waiting, start = waiting, [], line
            yield from ((comment, range(line, line + 1), True) for comment in waiting)
            waiting = []
    yield from ((comment, range(0), True) for comment in above + waiting)


def _tokens(lines: Sequence[str]) -> Iterator[tokenize.TokenInfo]:
    source = iter([f"{line}\n" for line in lines])
    try:
        yield from tokenize.generate_tokens(lambda: next(source, ""))
    except (tokenize.TokenError, SyntaxError):
        return
