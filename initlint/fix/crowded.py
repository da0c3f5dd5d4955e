"""Calls for a layer whose statement shares its line: behind a semicolon, or on their own lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from initlint.fix.edits import Edit, Insertion
from initlint.fix.nodes import WIDTH
from initlint.fix.parsed import Parsed

_AND = "; "


def beside(parsed: Parsed, line: int, new: Sequence[Insertion]) -> list[Insertion]:
    """The calls after a semicolon; on lines of their own where that line has no room for them."""
    if line in parsed.full or any(insertion.headers for insertion in new):
        return list(new)
    return [replace(insertion, place="joined") for insertion in new]


def overfull(parsed: Parsed, edits: Iterable[Edit]) -> set[int]:
    """The lines that calls behind semicolons make longer than a line should be."""
    added: dict[int, int] = {}
    for edit in dict.fromkeys(edits):
        if isinstance(edit, Insertion) and edit.place == "joined":
            line = edit.anchor.end_lineno or edit.anchor.lineno
            added[line] = added.get(line, 0) + len(_AND + edit.call.text())
    lines = parsed.text.lines
    return {n for n, width in added.items() if len(lines[n - 1].rstrip("\r\n")) + width > WIDTH}
