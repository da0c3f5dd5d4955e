"""Where a finding's call stands: the way from the module down to it, its statement and scope."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from initlint.fix.text import RefusedError, Text
from initlint.records import Site

Position = tuple[int, int]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.Module | ast.ClassDef
# Fields that hold lists of nodes with positions, in the order of the source.
_ORDERED = {"args", "body", "elts", "keywords", "orelse", "finalbody"}


@dataclass(frozen=True)
class Spot:
    """A call and all nodes around it, `chain`, from the module to the call itself."""

    chain: tuple[ast.AST, ...]

    @property
    def call(self) -> ast.Call:
        call = self.chain[-1]
        assert isinstance(call, ast.Call)
        return call

    @cached_property
    def on_path(self) -> frozenset[int]:
        """The identities of the nodes in the chain."""
        return frozenset(map(id, self.chain))

    def holds(self, node: ast.AST | None) -> bool:
        """Whether `node` is the call or stands around it."""
        return id(node) in self.on_path

    @cached_property
    def statement(self) -> ast.stmt:
        """The innermost statement around the call."""
        return next(node for node in reversed(self.chain) if isinstance(node, ast.stmt))

    @cached_property
    def start(self) -> Position:
        """Where the outermost function or class around the call begins, else its statement.

        What the module binds before that is there whenever the call runs.
        """
        outer = (node for node in self.chain if isinstance(node, Function | ast.ClassDef))
        node = next(outer, self.statement)
        return (node.lineno, node.col_offset)

    @cached_property
    def scope(self) -> Scope:
        """The function, class or module whose code makes the call."""
        outside = self.chain[: self.chain.index(self.statement)]
        return next(node for node in reversed(outside) if isinstance(node, Scope))

    @cached_property
    def owner(self) -> ast.ClassDef | None:
        """The class whose method the scope is."""
        position = self.chain.index(self.scope)
        around = self.chain[position - 1] if position else None
        return around if isinstance(around, ast.ClassDef) else None

    @cached_property
    def self_name(self) -> str | None:
        """What the method calls its instance; None outside methods."""
        if self.owner is None or not isinstance(self.scope, Function):
            return None
        decorators = {d.id for d in self.scope.decorator_list if isinstance(d, ast.Name)}
        arguments = [*self.scope.args.posonlyargs, *self.scope.args.args]
        if not arguments or decorators & {"staticmethod", "classmethod"}:
            return None
        return arguments[0].arg

    @cached_property
    def block(self) -> list[ast.stmt]:
        """The statements among which the call's statement stands."""
        parent = self.chain[self.chain.index(self.statement) - 1]
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and self.statement in value:
                return value
        raise AssertionError("a statement that stands in no block")

    @cached_property
    def top(self) -> ast.stmt:
        """The statement of the scope's own body that holds the call."""
        node = self.chain[self.chain.index(self.scope) + 1]
        assert isinstance(node, ast.stmt)
        return node


def find(
    tree: ast.Module, text: Text, site: Site, kinds: tuple[type[ast.expr], ...] = (ast.Call,)
) -> Spot:
    """The call, or the expression of `kinds`, at `site`. Raises RefusedError if there is none.

    Calls are told apart by their ends, which are unique; the interpreter reports the start of a
    call whose attribute access runs over several lines differently from `ast`.
    """
    start = (site.line, text.byte_column(site.line, site.column))
    end = (site.end_line, text.byte_column(site.end_line, site.end_column))
    pending: list[tuple[ast.AST, ...]] = [(tree,)]
    while pending:
        chain = pending.pop()
        node = chain[-1]
        if isinstance(node, kinds) and _end(node) == end and _start(node) <= start:
            return Spot(chain)
        pending += [(*chain, child) for child in _children_around(node, start, end)]
    place = f"{site.line}:{site.column}"
    raise RefusedError(f"there is no call at {place}: the file is not the one that was read")


def _children_around(node: ast.AST, start: Position, end: Position) -> Iterator[ast.AST]:
    """The children that can hold the stretch; lists are searched by bisection, being in order."""
    for name, value in ast.iter_fields(node):
        children: Sequence[object] = value if isinstance(value, list) else [value]
        if name in _ORDERED and isinstance(value, list):
            first = bisect_left(children, end, key=_end)
            children = children[first : first + 1]
        for child in children:
            if isinstance(child, ast.AST) and _covers(child, start, end):
                yield child


def _covers(node: ast.AST, start: Position, end: Position) -> bool:
    # Comprehension clauses, argument lists and the like have no position of their own.
    return not hasattr(node, "lineno") or (_start(node) <= start and end <= _end(node))


def _start(node: Any) -> Position:
    """Where a node begins, its decorators included."""
    first = next(iter(getattr(node, "decorator_list", ())), node)
    return (first.lineno, first.col_offset)


def _end(node: Any) -> Position:
    return (node.end_lineno, node.end_col_offset)


def dotted(node: ast.AST | None) -> str | None:
    """The text of a name or a chain of attributes of a name; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(names)])


def last_name(node: ast.AST) -> str:
    """The last part of a callee's name, "" if it has none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


_PURE_CALLS = {"format", "int", "len", "repr", "str"}
_PURE = (
    *(ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple),
    *(ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue),
    *(ast.operator, ast.unaryop, ast.expr_context),
)


def is_pure(expression: ast.expr) -> bool:
    """Whether an expression can be evaluated again without effect."""
    return all(
        isinstance(node, _PURE)
        or (isinstance(node, ast.Call) and last_name(node.func) in _PURE_CALLS)
        for node in ast.walk(expression)
    )
