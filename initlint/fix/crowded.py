"""Calls for a layer whose statement shares its line: behind a semicolon, or on their own lines."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace

from initlint.fix.layout import WIDTH, Insertion, laid_out
from initlint.fix.locate import Spot
from initlint.fix.parsed import Parsed
from initlint.fix.text import Edit

_AND = "; "


def beside(
    parsed: Parsed, spot: Spot, new: Sequence[Insertion]
) -> tuple[list[Insertion], list[Edit]]:
    """The calls after a semicolon; on lines of their own where that line has no room for them."""
    line = spot.statement.end_lineno or spot.statement.lineno
    if line in parsed.full or any(insertion.headers for insertion in new):
        return _unfolded(parsed, spot, new)
    _, end = parsed.text.span(spot.statement)
    added = [(f"{_AND}{i.call}", _order(i)) for i in new]
    return [], [Edit(end, end, text, line, line, order) for text, order in added]


def _order(insertion: Insertion) -> tuple[int, ...]:
    line, column, rank = insertion.order
    return (line, int(column), rank)


def overfull(parsed: Parsed, edits: Iterable[Edit]) -> set[int]:
    """The lines that calls behind semicolons make longer than a line should be."""
    added: dict[int, int] = {}
    for edit in dict.fromkeys(edits):
        if edit.start == edit.end and edit.text.startswith(_AND):
            added[edit.last] = added.get(edit.last, 0) + len(edit.text)
    lines = parsed.text.lines
    return {n for n, width in added.items() if len(lines[n - 1].rstrip("\r\n")) + width > WIDTH}


def _unfolded(
    parsed: Parsed, spot: Spot, new: Sequence[Insertion]
) -> tuple[list[Insertion], list[Edit]]:
    """The calls on lines of their own, and what follows them on its own, too.

    Statements that stand behind `if …:` are put below it.
    """
    if not new:
        return [], []
    text, statement = parsed.text, spot.statement
    line = statement.end_lineno or statement.lineno
    first = spot.block[0]
    indent, edits = text.before(first).replace("\f", ""), []
    if indent.strip():
        indent, below = _below(parsed, spot, first)
        edits.append(below)
    placed = [replace(insertion, line=line, indent=indent) for insertion in new]
    _, end = text.span(statement)
    following = next((s for s in spot.block if text.span(s)[0] > end and s.lineno == line), None)
    if following is None:
        return placed, edits
    newline = text.newline
    calls = newline.join(["", *laid_out(placed, parsed.indent_unit)])
    start, _ = text.span(following)
    edits.append(Edit(end, end, calls, line, line, _order(new[0])))
    edits.append(Edit(end, start, newline + indent, line, following.lineno))
    return [], edits


def _below(parsed: Parsed, spot: Spot, first: ast.stmt) -> tuple[str, Edit]:
    """What breaks the line after the head of the block, and the indentation there."""
    text = parsed.text
    around = spot.chain[spot.chain.index(spot.statement) - 1]
    head = text.lines[getattr(around, "lineno", first.lineno) - 1]
    indent = head[: len(head) - len(head.lstrip())].replace("\f", "") + parsed.indent_unit
    start, _ = text.span(first)
    blank = len(text.before(first)) - len(text.before(first).rstrip())
    edit = Edit(start - blank, start, text.newline + indent, first.lineno, first.lineno)
    return indent, edit
