"""Notebooks as Python: the code cells as one text, and from its lines back to cell and line."""

from __future__ import annotations

import ast
import json
import re
import warnings
from bisect import bisect_right
from functools import lru_cache
from typing import Any, NamedTuple

from initlint.records import InitlintError

# After these the rest of the cell is Python; after any other cell magic it is not.
_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun|memit|mprun)\b")
_ENDS = re.compile(r"\r\n|\r|\n")
# Of a notebook with more values in its JSON, or more lines in its cells, nothing is read.
_MOST_MARKS, _MOST_LINES = 5_000_000, 100_000
_MAGIC = re.compile(r"[\w.,\s\[\]'\"]+=\s*[%!]|.*[^#\n]\?{1,2}$")


class Broken(NamedTuple):
    """A cell that is not Python: its number, the line in it, and the reason."""

    cell: int
    line: int
    reason: str


class Notebook(NamedTuple):
    """The text of all code cells; `starts` has the first line of each and the cell's number.

    Cells are numbered from 1 in the order of the notebook, including those without code.
    """

    text: str
    starts: tuple[tuple[int, int], ...]
    broken: tuple[Broken, ...]

    def locate(self, line: int) -> tuple[int, int]:
        """The cell that a line of the text is in, and the line in that cell."""
        index = max(bisect_right(self.starts, (line, 1 << 60)) - 1, 0)
        start, cell = self.starts[index] if self.starts else (1, 1)
        return cell, line - start + 1

    def lines(self, cell: int) -> list[str]:
        """The lines of one cell."""
        every = self.text.split("\n")
        ends = [start for start, _ in self.starts[1:]] + [len(every)]
        for (start, number), end in zip(self.starts, ends, strict=True):
            if number == cell:
                return every[start - 1 : end - 1]
        return []


@lru_cache(maxsize=64)
def parsed(source: bytes) -> Notebook:
    """A notebook's source as Python; magics become `pass`, cells in other languages blank lines."""
    lines: list[str] = []
    starts, broken = [], []
    cells = _cells(source)
    if sum(len(_ENDS.split(text)) for _, text in cells if text) > _MOST_LINES:
        raise InitlintError(f"more than {_MOST_LINES:,} lines of code, which is data, not code")
    for number, text in cells:
        if text is None:
            broken.append(Broken(number, 1, "the cell has no source"))
            continue
        python, trouble = _python(text)
        starts.append((len(lines) + 1, number))
        lines += python
        if trouble is not None:
            broken.append(Broken(number, *trouble))
    return Notebook("".join(f"{line}\n" for line in lines), tuple(starts), tuple(broken))


def _cells(source: bytes) -> list[tuple[int, str | None]]:
    """The code cells by number; None for a cell whose source is not text."""
    if sum(map(source.count, (b"[", b"{", b","))) > _MOST_MARKS:
        raise InitlintError(f"more than {_MOST_MARKS:,} values, which is data, not code")
    try:
        content = json.loads(source)
    except ValueError as error:
        raise InitlintError(f"is not a notebook: {error}") from error
    except RecursionError as error:
        raise InitlintError("is not a notebook: nested too deeply") from error
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise InitlintError("is not a notebook of format 4; convert it by jupyter nbconvert")
    if _language(content) != "python":
        return []
    return [
        (number, _text(cell))
        for number, cell in enumerate(cells, 1)
        if not isinstance(cell, dict) or cell.get("cell_type") == "code"
    ]


def _language(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    for key, field in (("language_info", "name"), ("kernelspec", "language")):
        entry = named.get(key)
        if isinstance(entry, dict) and isinstance(entry.get(field), str):
            return str(entry[field]).lower()
    return "python"


def _text(cell: object) -> str | None:
    source = cell.get("source") if isinstance(cell, dict) else None
    lines: list[Any] = source if isinstance(source, list) else [source]
    return "".join(lines) if all(isinstance(line, str) for line in lines) else None


def _python(text: str) -> tuple[list[str], tuple[int, str] | None]:
    """A cell's lines as Python, as many as it has, and where and why it is none."""
    lines = _ENDS.split(text)
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not _PYTHON.match(lines[first]):
            return [""] * len(lines), None
        lines[first] = ""
    done = inside = 0
    while (trouble := _first_trouble(lines, done)) is not None:
        at = min(done + trouble[0], len(lines)) - 1
        # Only a line that the parser rejects is taken for a magic: a line that begins with % may be
        # valid Python.
        if not _is_magic(lines[at]):
            return [""] * len(lines), (at + 1, trouble[1])
        _pass(lines, at)
        # Statements that end before a magic need not be parsed with all that comes after it.
        start = _statement_of(lines, at, done)
        if start > done and _trouble(lines[done:start]) is None:
            done, inside = start, 0
        else:
            inside += 1
            if inside > _MOST_INSIDE:
                reason = f"more than {_MOST_INSIDE} magics inside other statements"
                return [""] * len(lines), (at + 1, reason)
    return lines, None


# Parsed first are so many lines; of what only their end may be to blame for, nothing is believed.
_FIRST_LINES = 64
_AT_END = ("never closed", "triple-quoted", "EOF", "expected")


def _first_trouble(lines: list[str], done: int) -> tuple[int, str] | None:
    """Where and why the lines from `done` on are not Python, without parsing all of them each time.

    The line counts from there, from 1 on.
    """
    count = _FIRST_LINES
    while done + count < len(lines):
        trouble = _trouble(lines[done : done + count])
        if trouble is not None and not any(word in trouble[1] for word in _AT_END):
            return trouble
        count *= 2
    return _trouble(lines[done:])


# Each is looked for from the beginning of the statement that it is in.
_MOST_INSIDE = 100


def _statement_of(lines: list[str], at: int, first: int) -> int:
    """Where the statement at the top level begins that a line is in, as far as can be seen."""
    while at > first and (not lines[at].strip() or lines[at][0].isspace() or _GOES_ON(lines[at])):
        at -= 1
    return at


# Beginnings of lines by which a statement at the top level goes on.
_GOES_ON = re.compile(r"else|elif|except|finally|[)\]}]").match


def _is_magic(line: str) -> bool:
    stripped = line.strip()
    return stripped[:1] in ("%", "!", "?") or bool(stripped and _MAGIC.match(stripped))


def _pass(lines: list[str], at: int) -> None:
    """Replace a magic by `pass`, and its continuation lines by blank lines."""
    goes_on = lines[at].endswith("\\")
    lines[at] = lines[at][: len(lines[at]) - len(lines[at].lstrip())] + "pass"
    while goes_on and at + 1 < len(lines):
        at += 1
        goes_on = lines[at].endswith("\\")
        lines[at] = ""


def _trouble(lines: list[str]) -> tuple[int, str] | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse("\n".join(lines))
    except SyntaxError as error:
        return error.lineno or 1, error.msg
    except (ValueError, RecursionError, MemoryError) as error:
        return 1, str(error) or type(error).__name__
    return None
