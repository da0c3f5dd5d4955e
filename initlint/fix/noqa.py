"""Adds `# noqa: CODE` to the lines of findings, for --add-noqa; all other bytes stay."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Sequence
from typing import NamedTuple

from initlint.fix.files import write_atomically
from initlint.fix.notebook import with_python
from initlint.fix.text import RefusedError, Text, decode
from initlint.judge import is_installed
from initlint.project import suppress
from initlint.project.sourcefiles import NOTEBOOK, Texts
from initlint.records import Finding, InitlintError
from initlint.safe.shown import STEERING

_NO_LINE = "no line of the call can have a comment; write # initlint: ignore above the statement"
_INSTALLED = "its file is part of an installed package"
# The list of codes of a comment.
_LISTED = re.compile(rf"(?i)#\s*noqa\s*:\s*{suppress.ENTRY}(?:[\s,]+{suppress.ENTRY})*")


class Added(NamedTuple):
    """The numbers of findings and files with a new comment, and the other findings, with why."""

    findings: int
    files: int
    refused: tuple[tuple[Finding, str], ...]


def add(findings: Sequence[Finding], texts: Texts, reason: str) -> Added:
    """Write the comments that silence the findings, each with the reason."""
    by_path: dict[str, list[Finding]] = {}
    refused: list[tuple[Finding, str]] = []
    for finding in findings:
        if finding.site is None or is_installed(finding.site):
            why = _INSTALLED if finding.site else "it has no line in a file"
            refused.append((finding, why))
        else:
            by_path.setdefault(finding.site.path, []).append(finding)
    files = 0
    for path, group in by_path.items():
        try:
            old = texts.source(path)
            new, unsilenced = commented(old, path, group, reason)
            refused += unsilenced
            if new != old:
                write_atomically(path, old, new, texts.place(path))
                files += 1
        except (InitlintError, RefusedError, OSError) as error:
            said = str(error).removeprefix(f"{path}: ")
            refused += [(finding, said) for finding in group]
    return Added(len(findings) - len(refused), files, tuple(refused))


def checked_reason(reason: str) -> str:
    """The reason as it is written. Raises InitlintError if it cannot be part of a comment."""
    if re.search(f"[{STEERING}]", reason) or "#" in reason:
        raise InitlintError("--add-noqa: write the reason on one line, without #")
    return reason.strip()


def commented(
    source: bytes, path: str, findings: Sequence[Finding], reason: str
) -> tuple[bytes, list[tuple[Finding, str]]]:
    """The file with the comments, and the findings that could get none, with why.

    Raises RefusedError if anything but comments would change.
    """
    if path.endswith(NOTEBOOK):
        refused: list[tuple[Finding, str]] = []

        def changed(python: str) -> str:
            new, left = _commented(Text(python, "utf-8"), findings, reason)
            refused.extend(left)
            return new

        return with_python(source, changed), refused
    text = decode(source)
    new, left = _commented(text, findings, reason)
    try:
        return text.encode(new), left
    except UnicodeEncodeError as error:
        raise RefusedError(f"the reason cannot be written in {text.encoding}") from error


def _commented(
    text: Text, findings: Sequence[Finding], reason: str
) -> tuple[str, list[tuple[Finding, str]]]:
    lines = list(text.lines)
    seen = _scanned(lines)
    codes: dict[int, list[str]] = {}
    refused: list[tuple[Finding, str]] = []
    for finding in findings:
        assert finding.site is not None
        span = range(finding.site.line, finding.site.end_line + 1)
        line = next((n for n in span if n not in seen.inside and not _goes_on(lines[n - 1])), 0)
        if line:
            codes.setdefault(line, []).append(finding.code)
        else:
            refused.append((finding, _NO_LINE))
    for line, found in codes.items():
        column = seen.comments.get(line)
        codes_here = list(dict.fromkeys(found))
        lines[line - 1] = _with_codes(lines[line - 1], column, codes_here, reason)
    new = "".join(lines)
    if ast.dump(ast.parse(new)) != ast.dump(ast.parse(text.content)):
        raise RefusedError("something other than a comment would change")
    silencing = suppress.suppressions([line.rstrip("\r\n") for line in lines])
    if not all(silencing.cover(f) for f in findings if f not in [gone for gone, _ in refused]):
        raise RefusedError("a comment that is there already keeps a new one from being understood")
    return new, refused


def _goes_on(line: str) -> bool:
    return line.rstrip("\r\n").endswith("\\")


class _Scanned(NamedTuple):
    """The lines that end inside a string, and the column of each line's comment."""

    inside: set[int]
    comments: dict[int, int]


def _scanned(lines: Sequence[str]) -> _Scanned:
    source, found = iter(lines), _Scanned(set(), {})
    # Python 3.12 and later have tokens for the parts of an f-string.
    start_of = getattr(tokenize, "FSTRING_START", None)
    end_of = getattr(tokenize, "FSTRING_END", None)
    begun: list[int] = []
    try:
        for token in tokenize.generate_tokens(lambda: next(source, "")):
            if token.type == tokenize.COMMENT:
                found.comments[token.start[0]] = token.start[1]
            elif token.type == tokenize.STRING:
                found.inside.update(range(token.start[0], token.end[0]))
            elif token.type == start_of:
                begun.append(token.start[0])
            elif token.type == end_of:
                found.inside.update(range(begun.pop(), token.end[0]))
    except (tokenize.TokenError, SyntaxError) as error:
        raise RefusedError(f"the file cannot be tokenised: {error}") from error
    return found


def _with_codes(line: str, column: int | None, codes: Sequence[str], reason: str) -> str:
    """A line with the codes added to its `noqa`, or with a new one at its end."""
    body = line.rstrip("\r\n")
    ending = line[len(body) :]
    listed = None if column is None else _LISTED.search(body, column)
    if listed:
        at = listed.end()
        return f"{body[:at]}, {', '.join(codes)}{body[at:]}{ending}"
    said = f" {reason}" if reason else ""
    return f"{body.rstrip()}  # noqa: {', '.join(codes)}{said}{ending}"
