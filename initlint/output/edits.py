"""The edits of a finding's fix as positions in its file or cell, which other programs apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from initlint.project.sourcefiles import NOTEBOOK, Texts
from initlint.records import Finding

if TYPE_CHECKING:
    from initlint.fix.proposals import Proposals

Position = tuple[int, int]


class Edit(NamedTuple):
    """`text` in place of all between two positions; lines and columns (characters) count from 1.

    `cell` is the notebook's cell in which they count; 0 in other files.
    """

    path: str
    cell: int
    start: Position
    end: Position
    text: str


def edits(finding: Finding, proposals: Proposals | None, texts: Texts) -> tuple[Edit, ...] | None:
    """The edits, in the order of the file; None if there is no fix, or it cannot be shown."""
    found = None if proposals is None else proposals.edits(finding)
    if found is None:
        return None
    return tuple(_placed(edit.path, edit.start, edit.end, edit.text, texts) for edit in found)


def _placed(path: str, first: int, after: int, text: str, texts: Texts) -> Edit:
    """Whole lines from `first` to before `after` as positions.

    A last line has no line end in a cell, and may have none in a file.
    """
    lines = texts.lines(path)
    ends = path.endswith(NOTEBOOK) or after > len(lines)
    if not ends:
        return Edit(path, 0, (first, 1), (after, 1), text)
    last = after - 1
    cell, shift = _cell(path, max(last, 1), texts)
    end = (last - shift, len(lines[last - 1]) + 1) if last else (1, 1)
    if not last:
        return Edit(path, cell, end, end, text)
    text = text.removesuffix("\n").removesuffix("\r")
    if first == after:
        return Edit(path, cell, end, end, f"\n{text}")
    return Edit(path, cell, (first - shift, 1), end, text)


def _cell(path: str, line: int, texts: Texts) -> tuple[int, int]:
    """The cell that a line is in, and how many lines lie before that cell."""
    if not path.endswith(NOTEBOOK):
        return 0, 0
    cell, inside = texts.notebook(path).locate(line)
    return cell, line - inside
