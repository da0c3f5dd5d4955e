"""The edits of each finding's fix, one finding at a time, for editors and reports.

Only the top-level statements that an edit concerns are printed anew: a report has many findings,
and printing a whole file for each would take longer than all the rest.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from initlint.fix.edits import Edit
from initlint.fix.parsed import Parsed, parse, refuse_chained
from initlint.fix.rewrite import edits_of
from initlint.fix.text import RefusedError, Text, comments_of
from initlint.fix.transform import transformed
from initlint.project.sourcefiles import Texts
from initlint.records import Finding, Preferences, Report

if TYPE_CHECKING:
    import libcst as cst

# So many findings of a report have edits, and so many characters are printed anew for them: of all
# files, and of one.
_MOST, _MOST_TEXT, _MOST_OF_FILE = 300, 2_000_000, 200_000
# A statement after those that are printed: the lines between belong to it, as in the whole file.
_END = "pass\n"


class TextEdit(NamedTuple):
    """The text of some whole lines; `end` is the line after the last one, both count from 1."""

    path: str
    start: int
    end: int
    text: str


class Proposals:
    """The edits of findings in the files of one report."""

    def __init__(self, texts: Texts, preferences: Preferences) -> None:
        self._texts = texts
        self._preferences = preferences
        self._files: dict[str, _File | None] = {}
        self._left, self._text_left = _MOST, _MOST_TEXT

    @classmethod
    def of(cls, report: Report, preferences: Preferences) -> Proposals:
        """For the files of a report."""
        return cls(report.texts or Texts(), preferences)

    def edits(self, finding: Finding) -> tuple[TextEdit, ...] | None:
        """The edits of a finding's fix; None if it has none, is refused, or the budget is spent."""
        if finding.fix is None or finding.fix.applicability == "display":
            return None
        if self._left <= 0 or self._text_left <= 0:
            return None
        self._left -= 1
        path = finding.fix.site.path
        if path not in self._files:
            self._files[path] = self._opened(path)
        file = self._files[path]
        if file is None:
            return None
        try:
            edits = edits_of(file.parsed, path, finding, self._preferences)
            return tuple(self._changed(file, path, edits))
        except (RefusedError, RecursionError):
            return None

    def _opened(self, path: str) -> _File | None:
        source = self._texts.python(path)
        self._text_left -= len(source)
        try:
            return _File(parse(source))
        except (RefusedError, RecursionError):
            return None

    def _changed(self, file: _File, path: str, edits: Sequence[Edit]) -> Iterator[TextEdit]:
        """The lines that differ after the edits."""
        lines = file.parsed.text.lines
        for group, wanted in file.concerned(edits):
            old = lines[group.first - 1 : group.last]
            size = sum(map(len, old))
            file.charge(size)
            self._text_left -= size
            new = _printed(file, old, group, wanted)
            matcher = SequenceMatcher(None, old, new, autojunk=False)
            for kind, start, end, new_start, new_end in matcher.get_opcodes():
                if kind != "equal":
                    text = "".join(new[new_start:new_end])
                    yield TextEdit(path, group.first + start, group.first + end, text)


class _Group(NamedTuple):
    """Top-level statements that share lines, and these lines up to the next statement."""

    first: int
    last: int
    statements: list[ast.stmt]
    is_last: bool


class _File:
    """A parsed file, its groups of top-level statements, and libcst's trees of these."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self._groups = _groups_of(parsed)
        self._trees: dict[int, cst.Module] = {}
        self._left = _MOST_OF_FILE

    def charge(self, count: int) -> None:
        """Count characters that are to be printed. Raises RefusedError if those are too many."""
        self._left -= count
        if self._left < 0:
            raise RefusedError("too much of the file would be printed")

    def tree(self, group: _Group, content: str) -> cst.Module:
        """libcst's tree of a group. Raises RefusedError if it has none that is exact."""
        import libcst

        if group.first not in self._trees:
            for statement in group.statements:
                refuse_chained(statement)
            try:
                tree = libcst.parse_module(content)
            except libcst.ParserSyntaxError as error:
                reason = f"libcst cannot parse the statement: {error.message}"
                raise RefusedError(reason) from None
            if tree.code != content:
                raise RefusedError("more than the fix would change")
            self._trees[group.first] = tree
        return self._trees[group.first]

    def concerned(self, edits: Sequence[Edit]) -> list[tuple[_Group, list[Edit]]]:
        """The groups that edits concern, each with its edits."""
        shared: dict[int, list[Edit]] = {}
        for edit in edits:
            line = 1 if edit.anchor is None else edit.anchor.lineno
            index = bisect_right(self._groups, line, key=lambda group: group.first) - 1
            shared.setdefault(index, []).append(edit)
        return [(self._groups[index], found) for index, found in sorted(shared.items())]


def _groups_of(parsed: Parsed) -> list[_Group]:
    """The top-level statements of a file, those together that share lines."""
    lines = parsed.text.lines
    shared: list[list[ast.stmt]] = [[]]
    end = 0
    for statement in parsed.tree.body:
        first = _first_line(statement)
        goes_on = lines[first - 2].rstrip().endswith("\\") if first > 1 else True
        if shared[-1] and first > end and not goes_on:
            shared.append([])
        shared[-1].append(statement)
        end = statement.end_lineno or first
    starts = [1, *(_first_line(group[0]) for group in shared[1:]), len(lines) + 1]
    return [
        _Group(start, after - 1, group, after > len(lines))
        for group, (start, after) in zip(shared, pairwise(starts), strict=True)
    ]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(node.lineno for node in decorators)])


def _printed(file: _File, old: Sequence[str], group: _Group, edits: Sequence[Edit]) -> list[str]:
    """The lines after the edits. Raises RefusedError if anything else would change."""
    end = "" if group.is_last else _END
    before = "".join(old)
    parsed, module = file.parsed, file.tree(group, before + end)
    tree = ast.Module(group.statements, [])
    changed = transformed(module, tree, parsed.text, edits, parsed.indent_unit)
    new = changed.code.removesuffix(end)
    if comments_of(new) != comments_of(before):
        raise RefusedError("more than the fix would change")
    try:
        ast.parse(new)
    except SyntaxError as error:
        raise RefusedError(f"the result is no Python: {error.msg}") from None
    return Text(new, "utf-8").lines
