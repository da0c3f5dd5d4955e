"""Notebooks: the code cells rewritten as one Python text, every other byte as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from initlint.fix.rewrite import Rewritten, rewrite
from initlint.fix.text import RefusedError
from initlint.project import notebooks
from initlint.project.sourcefiles import NOTEBOOK
from initlint.records import Finding, InitlintError, Preferences

_BLANK = " \t\r\n"


def rewrite_file(
    source: bytes, path: str, findings: Sequence[Finding], preferences: Preferences
) -> Rewritten:
    """`rewrite` for a Python file or a notebook, which the path tells apart."""
    if not path.endswith(NOTEBOOK):
        return rewrite(source, path, findings, preferences)
    try:
        notebook = notebooks.parsed(source)
        result = rewrite(notebook.text.encode(), path, findings, preferences)
        changed = _changed(notebook, result.source.decode())
        return Rewritten(_put(source, changed), result.fixed, result.refused)
    except RecursionError:
        return _refused(source, findings, "the notebook is nested too deeply")
    except (RefusedError, InitlintError, UnicodeError) as error:
        return _refused(source, findings, str(error))


def with_python(source: bytes, change: Callable[[str], str]) -> bytes:
    """A notebook with its code changed; `change` gets all cells as one text of Python.

    Raises RefusedError or InitlintError if that cannot be done.
    """
    notebook = notebooks.parsed(source)
    try:
        return _put(source, _changed(notebook, change(notebook.text)))
    except (RecursionError, UnicodeError) as error:
        raise RefusedError(f"the notebook cannot be changed: {error}") from error


def _refused(source: bytes, findings: Sequence[Finding], reason: str) -> Rewritten:
    wanted = [finding for finding in findings if finding.fix is not None]
    return Rewritten(source, (), tuple((finding, reason) for finding in wanted))


class _Change(NamedTuple):
    """New lines in place of a cell's lines from `start` up to `end`, both counted from 0."""

    start: int
    end: int
    lines: list[str]


def _changed(notebook: notebooks.Notebook, new: str) -> dict[int, list[_Change]]:
    """The changes of each cell, by its number, that lead to the new text."""
    before, after = notebook.text.split("\n"), new.split("\n")
    changes: dict[int, list[_Change]] = {}
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        cell, line = notebook.locate(max(first, 1) if first == last else first + 1)
        offset = line if first == last and first else line - 1
        change = _Change(offset, offset + last - first, after[start:end])
        changes.setdefault(cell, []).append(change)
    return changes


def _put(source: bytes, changes: dict[int, list[_Change]]) -> bytes:
    """The notebook with the changes of its cells."""
    content = source.decode("utf-8")
    values = _sources(content)
    for cell in sorted(changes, reverse=True):
        start, end = values[cell]
        content = content[:start] + _edited(content[start:end], changes[cell]) + content[end:]
    new = content.encode("utf-8")
    if _without_code(_content(new)) != _without_code(_content(source)):
        raise RefusedError("something other than the notebook's code would change")
    return new


def _content(source: bytes) -> Any:
    # NaN, which Python writes into outputs, is not equal to itself.
    return json.loads(source, parse_constant=str)


def _without_code(content: Any) -> Any:
    cells = [
        {**cell, "source": ""}
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
        else cell
        for cell in content["cells"]
    ]
    return {**content, "cells": cells}


def _edited(value: str, changes: Sequence[_Change]) -> str:
    """A cell's source as JSON, with the changes."""
    written = json.loads(value)
    lines = "".join(written).split("\n")
    if "\r" in "".join(written):
        raise RefusedError("the cell's lines end with carriage returns")
    for change in sorted(changes, key=lambda c: c.start, reverse=True):
        lines[change.start : change.end] = change.lines
    text = "\n".join(lines)
    # Notebooks are written with the characters themselves, unless someone chose otherwise.
    ascii_only = value.isascii() and "\\u" in value
    if isinstance(written, str):
        return json.dumps(text, ensure_ascii=ascii_only)
    members = list(_members(value, 0))
    as_written = {json.loads(value[at:end]): value[at:end] for _, at, end in members}
    spelled = [
        as_written.get(line) or json.dumps(line, ensure_ascii=ascii_only) for line in _lines(text)
    ]
    opening, between, closing = _blanks(value, members)
    return f"[{opening}{between.join(spelled)}{closing}]"


def _lines(text: str) -> list[str]:
    """The lines with their ends, as Jupyter keeps them: the last one has none."""
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def _blanks(value: str, members: Sequence[tuple[str, int, int]]) -> tuple[str, str, str]:
    """The text before the first member of an array, between two, and after the last."""
    if not members:
        return "", ", ", ""
    (_, first, end), (_, _, last) = members[0], members[-1]
    opening = value[1:first]
    between = value[end : members[1][1]] if len(members) > 1 else f",{opening or ' '}"
    return opening, between, value[last:-1]


def _sources(content: str) -> dict[int, tuple[int, int]]:
    """Where the source of each cell stands in a notebook's JSON, by the cell's number."""
    found: dict[int, tuple[int, int]] = {}
    start_of_all = _after_blanks(content, int(content.startswith("\ufeff")))
    for name, start, _ in _members(content, start_of_all):
        if name != "cells" or content[start] != "[":
            continue
        # Of a key that is there twice, the last one counts.
        found.clear()
        for number, (_, cell, _) in enumerate(_members(content, start), 1):
            if content[cell] != "{":
                continue
            for key, first, last in _members(content, cell):
                if key == "source":
                    found[number] = (first, last)
    return found


def _members(content: str, start: int) -> Iterator[tuple[str, int, int]]:
    """The members of an object or array: the key ("" in an array), where its value is."""
    at = _after_blanks(content, start + 1)
    is_object = content[start] == "{"
    while content[at] not in "]}":
        key = ""
        if is_object:
            key, at = scanstring(content, at + 1)
            at = _after_blanks(content, _after_blanks(content, at) + 1)
        end = _end(content, at)
        yield key, at, end
        at = _after_blanks(content, end)
        if content[at] == ",":
            at = _after_blanks(content, at + 1)


def _end(content: str, start: int) -> int:
    """Where the value that begins at `start` ends."""
    if content[start] == '"':
        return int(scanstring(content, start + 1)[1])
    if content[start] not in "[{":
        _, end = json.JSONDecoder().raw_decode(content, start)
        return end
    last = start + 1
    for _, _, end in _members(content, start):
        last = end
    return _after_blanks(content, last) + 1


def _after_blanks(content: str, at: int) -> int:
    while content[at] in _BLANK:
        at += 1
    return at
