"""Edits carried out on libcst's tree: rebuilt along the paths to the statements that they name."""

# Nothing asks for positions and no visitor walks the whole tree, which would take as long as
# parsing: ast and libcst agree on which statement stands where in which block.

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from initlint.fix.edits import (
    Correction,
    Edit,
    Import,
    Insertion,
    Loop,
    NamedResult,
    Removal,
)
from initlint.fix.nodes import Swap, Writer, as_alternative, assigned, kept_names, swapped
from initlint.fix.text import Text

# From a module down to a statement: the field that holds a block, and the index in it.
Path = tuple[tuple[str, int], ...]
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_Lines = Sequence[cst.EmptyLine]


def transformed(
    module: cst.Module, tree: ast.Module, text: Text, edits: Iterable[Edit], unit: str
) -> cst.Module:
    """The module after all edits, whose anchors are statements of `tree`."""
    root, paths = _Wanted(), _paths_of(tree)
    for edit in edits:
        root.at(() if edit.anchor is None else paths[id(edit.anchor)]).edits.append(edit)
    changer = _Changer(text, unit, module.default_newline)
    body, footer = changer.block(module.body, module.footer, root.inner.get("body", {}), "")
    module = module.with_changes(body=body, footer=footer)
    return changer.opened(module, root.edits)


def _paths_of(tree: ast.Module) -> dict[int, Path]:
    """The path of each statement of a module, by the statement's identity."""
    paths: dict[int, Path] = {}
    pending: list[tuple[ast.AST, Path]] = [(tree, ())]
    while pending:
        node, path = pending.pop()
        for name in _BLOCKS:
            members = getattr(node, name, ())
            # The body of a lambda or of a conditional expression is not a block.
            for index, child in enumerate(members if isinstance(members, list) else ()):
                paths[id(child)] = (*path, (name, index))
                pending.append((child, paths[id(child)]))
    return paths


@dataclass
class _Wanted:
    """The edits of one statement, and those of the statements in its blocks."""

    edits: list[Edit] = field(default_factory=list)
    inner: dict[str, dict[int, _Wanted]] = field(default_factory=dict)

    def at(self, path: Path) -> _Wanted:
        """The edits of the statement at a path from here."""
        found = self
        for name, index in path:
            found = found.inner.setdefault(name, {}).setdefault(index, _Wanted())
        return found

    def insertions(self, place: str) -> list[Insertion]:
        """The calls that go to one place next to the statement."""
        return [e for e in self.edits if isinstance(e, Insertion) and e.place == place]

    def imports(self, *, before: bool) -> list[Import]:
        """The import that goes before or after the statement's line, if any."""
        return [e for e in self.edits if isinstance(e, Import) and e.before == before]

    def naming(self) -> NamedResult | None:
        """How a result is named first."""
        return next((edit for edit in self.edits if isinstance(edit, NamedResult)), None)

    def loop(self) -> Loop | None:
        """The loop into which the statement moves."""
        found = (edit.loop for edit in self.edits if isinstance(edit, Correction))
        return next((loop for loop in found if loop is not None), None)

    def removal(self) -> Removal | None:
        """The names to remove from an import."""
        return next((edit for edit in self.edits if isinstance(edit, Removal)), None)


class _Changer:
    """Rebuilds blocks, each statement with the edits that are wanted of it."""

    def __init__(self, text: Text, unit: str, newline: str) -> None:
        self._text = text
        self._unit = unit
        self._newline = newline

    def _writer(self, indent: str, edits: Sequence[Edit]) -> Writer:
        """A maker of nodes for a block, with the line ending of the statement."""
        anchor = next((edit.anchor for edit in edits), None)
        ending = self._text.ending(anchor.end_lineno or anchor.lineno) if anchor else ""
        newline = ending or self._text.newline
        return Writer(self._unit, indent, None if newline == self._newline else newline)

    def opened(self, module: cst.Module, edits: Sequence[Edit]) -> cst.Module:
        """The module with an import that comes after its first lines of comments."""
        for edit in edits:
            assert isinstance(edit, Import)
            above, below = module.header[: edit.comments], module.header[edit.comments :]
            added: cst.BaseStatement = self._writer("", ()).added_import()
            if module.body:
                first, *others = module.body
                body = [added, _led(first, (*below, *_leading(first))), *others]
                return module.with_changes(header=above, body=body)
            return module.with_changes(header=above, body=[added], footer=(*below, *module.footer))
        return module

    def block(
        self,
        statements: Sequence[Any],
        footer: _Lines,
        wanted: Mapping[int, _Wanted],
        indent: str,
    ) -> tuple[list[cst.BaseStatement], _Lines]:
        """The statements of a block after the edits, and the lines after the last of them."""
        new: list[cst.BaseStatement] = []
        after: list[cst.BaseStatement] = []
        carried: list[cst.EmptyLine] = []
        closing = False
        index = 0
        for statement in statements:
            count = len(statement.body) if isinstance(statement, cst.SimpleStatementLine) else 1
            here = {i: wanted[index + i] for i in range(count) if index + i in wanted}
            index += count
            if after or carried or closing:
                lines = _leading(statement)
                dropped = closing and lines and not lines[0].comment
                above, lines = _closing(after, [*carried, *lines[1 if dropped else 0 :]])
                new += above
                statement = _led(statement, lines)
                after, carried, closing = [], [], False
            if not here:
                new.append(statement)
                continue
            removal = here[0].removal() if 0 in here else None
            if removal is not None and all(removal.drops):
                before, statement = self._preceded(statement, here[0], indent)
                new += before
                after = self._imported(here[0], indent)
                carried, closing = list(_leading(statement)), removal.closing
                if after:
                    after, carried = [_led(after[0], carried)], []
                continue
            made, after = self._changed(statement, here, indent)
            new += made
        above, lines = _closing(after, [*carried, *footer])
        return [*new, *above], lines

    def _imported(self, wanted: _Wanted, indent: str) -> list[cst.BaseStatement]:
        """The import after a statement's line."""
        found = wanted.imports(before=False)
        return [self._writer(indent, found).added_import()] if found else []

    def _preceded(
        self, statement: Any, wanted: _Wanted, indent: str
    ) -> tuple[list[cst.BaseStatement], Any]:
        """What goes before a statement, and the statement with the lines that stay above it."""
        lines = _leading(statement)
        if imports := wanted.imports(before=True):
            added = self._writer(indent, imports).added_import()
            return [_led(added, lines)], _led(statement, ())
        if calls := wanted.insertions("before"):
            writer = self._writer(indent, calls)
            first, *others = writer.statements(calls)
            own = next((i for i in range(len(lines), 0, -1) if not lines[i - 1].comment), 0)
            first = _led(first, lines[:own])
            return [first, *others], _led(statement, (*writer.empty(2), *lines[own:]))
        return [], statement

    def _changed(
        self, statement: Any, here: Mapping[int, _Wanted], indent: str
    ) -> tuple[list[cst.BaseStatement], list[cst.BaseStatement]]:
        """A statement with all that is wanted of it, and what follows it."""
        if isinstance(statement, cst.SimpleStatementLine):
            first = min(here)
            before, statement = self._preceded(statement, here[first], indent)
            made, after = self._line(statement, statement.body, here, indent, indent)
            if (loop := here[first].loop()) is not None:
                writer, (line,) = self._writer(indent, here[first].edits), made
                looped = writer.compound(loop, [_led(line, ())])
                made = [_led(looped, _leading(line))]
            for each in here.values():
                after = [*self._imported(each, indent), *after]
            return [*before, *made], after
        wanted = here[0]
        before, statement = self._preceded(statement, wanted, indent)
        statement = swapped(statement, _swaps(wanted, self._writer(indent, wanted.edits)))
        statement = self._inside(statement, wanted, indent)
        if arms := wanted.insertions("arm"):
            for arm in self._writer(indent, arms).statements(arms):
                statement = as_alternative(statement, arm)
        calls = wanted.insertions("after")
        after = self._writer(indent, calls).statements(calls) if calls else []
        return [*before, statement], [*self._imported(wanted, indent), *after]

    def _line(
        self,
        line: cst.SimpleStatementLine | cst.SimpleStatementSuite,
        statements: Sequence[Any],
        here: Mapping[int, _Wanted],
        indent: str,
        outer: str,
    ) -> tuple[list[cst.BaseStatement], list[cst.BaseStatement]]:
        """The lines that a line of small statements becomes, and what follows the last of them.

        It is broken after each statement that calls on lines of their own follow.
        """
        new: list[cst.BaseStatement] = []
        held: list[Any] = []
        after: list[cst.BaseStatement] = []
        edits = [edit for each in here.values() for edit in each.edits]
        writer, outside = self._writer(indent, edits), self._writer(outer, edits)
        for index, small in enumerate(statements):
            wanted = here.get(index)
            if after:
                new += [writer.line(held), *after]
                held, after = [], []
            if wanted is None:
                held.append(small)
                continue
            small = swapped(small, _swaps(wanted, outside))
            small, after = self._small(small, wanted, writer)
            held.append(small)
            held = writer.joined(held, wanted.insertions("joined"))
        removal = next((each.removal() for each in here.values() if each.removal()), None)
        if removal is not None:
            held = [kept_names(held[0], removal.drops)]
        last = cst.SimpleStatementLine(held, trailing_whitespace=line.trailing_whitespace)
        return _with_first(new, last, line), after

    def _small(
        self, small: Any, wanted: _Wanted, writer: Writer
    ) -> tuple[Any, list[cst.BaseStatement]]:
        """A small statement under the name that it gets, and what goes below it."""
        calls = wanted.insertions("after")
        after = writer.statements(calls) if calls else []
        naming = wanted.naming()
        if naming is not None:
            assert isinstance(small, cst.Return)
            after.append(writer.line([cst.Return(cst.Name(naming.name))]))
            small = assigned(small, naming.name)
        return small, after

    def _inside(self, statement: Any, wanted: _Wanted, indent: str) -> Any:
        """A compound statement with the edits in its blocks."""
        changes: dict[str, Any] = {}
        for name, blocks in wanted.inner.items():
            part = getattr(statement, name)
            if name in ("handlers", "cases"):
                changes[name] = [
                    self._inside(member, blocks[i], indent) if i in blocks else member
                    for i, member in enumerate(part)
                ]
            elif name == "body":
                changes[name] = self._suite(part, blocks, indent)
            elif isinstance(part, cst.If):
                # ast has an `elif` as an `if` alone in an `else`.
                swaps = _swaps(blocks[0], self._writer(indent, blocks[0].edits))
                changes[name] = self._inside(swapped(part, swaps), blocks[0], indent)
            else:
                changes[name] = part.with_changes(body=self._suite(part.body, blocks, indent))
        return statement.with_changes(**changes) if changes else statement

    def _suite(self, suite: Any, wanted: Mapping[int, _Wanted], indent: str) -> cst.BaseSuite:
        """The block of a compound statement; a body on the head's line moves below if necessary."""
        if isinstance(suite, cst.IndentedBlock):
            inner = indent + (self._unit_of(suite))
            body, footer = self.block(suite.body, suite.footer, wanted, inner)
            return suite.with_changes(body=body, footer=footer)
        lines, after = self._line(suite, suite.body, wanted, indent + self._unit, indent)
        if len(lines) == 1 and not after:
            (line,) = lines
            assert isinstance(line, cst.SimpleStatementLine)
            changed: cst.BaseSuite = suite.with_changes(body=line.body)
            return changed
        edits = [edit for each in wanted.values() for edit in each.edits]
        return self._writer(indent, edits).block([*lines, *after])

    def _unit_of(self, suite: cst.IndentedBlock) -> str:
        return self._unit if suite.indent is None else suite.indent


def _swaps(wanted: _Wanted, writer: Writer) -> list[Swap]:
    """The expressions of a statement to be replaced, with what replaces them."""
    found = [edit for edit in wanted.edits if isinstance(edit, Correction)]
    return [
        Swap(edit.anchor, edit.old, writer.corrected(edit), bool(edit.function)) for edit in found
    ]


def _leading(statement: Any) -> _Lines:
    return statement.leading_lines  # type: ignore[no-any-return]


def _led(statement: Any, lines: _Lines) -> Any:
    return statement.with_changes(leading_lines=lines)


def _with_first(
    new: list[cst.BaseStatement], last: cst.SimpleStatementLine, line: Any
) -> list[cst.BaseStatement]:
    """The lines, the first of them below what stood above the whole line."""
    lines = [*new, last]
    above = getattr(line, "leading_lines", ())
    return [_led(lines[0], above), *lines[1:]] if above else lines


def _closing(after: Sequence[Any], lines: _Lines) -> tuple[list[cst.BaseStatement], _Lines]:
    """Calls below the comments that close the block before them, and the other lines."""
    if not after or isinstance(after[0], cst.FunctionDef):
        return list(after), lines
    count = 0
    for index, line in enumerate(lines, 1):
        if line.comment is not None:
            if not (line.indent and line.whitespace.value):
                break
            count = index
    if not count:
        return list(after), lines
    return [_led(after[0], (*lines[:count], *_leading(after[0]))), *after[1:]], lines[count:]
