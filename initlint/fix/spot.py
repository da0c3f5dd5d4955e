"""Finds a finding's call: the path from the module to it, its statement and scope."""

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
_PURE_CALLS = {"format", "int", "len", "repr", "str"}
_PURE = (
    *(ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple),
    *(ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
_METHOD = "__post_init__"


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
        """Whether `node` is the call or contains it."""
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
        """The name of the instance in the method (`self`); None outside methods."""
        if self.owner is None or not isinstance(self.scope, Function):
            return None
        decorators = {d.id for d in self.scope.decorator_list if isinstance(d, ast.Name)}
        arguments = [*self.scope.args.posonlyargs, *self.scope.args.args]
        if not arguments or decorators & {"staticmethod", "classmethod"}:
            return None
        return arguments[0].arg

    @cached_property
    def block(self) -> list[ast.stmt]:
        """The block of the call's statement."""
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


def is_pure(expression: ast.expr) -> bool:
    """Whether an expression can be evaluated again without effect."""
    return all(
        isinstance(node, _PURE)
        or (isinstance(node, ast.Call) and last_name(node.func) in _PURE_CALLS)
        for node in ast.walk(expression)
    )


def as_made_in_method(spot: Spot) -> Spot:
    """The spot of a field's layer as if `__post_init__` began by making it.

    Raises RefusedError where the layer is no field's, or need not be the one that is kept.
    """
    owner, statement = spot.scope, spot.statement
    assert isinstance(owner, ast.ClassDef)
    factory = _factory(spot, statement)
    if factory is None or not any(_is_dataclass(each) for each in owner.decorator_list):
        raise RefusedError("it is made in the body of a class, not in a method")
    assert isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call)
    if not _is_inner(statement.value):
        raise RefusedError("the caller may pass another module for this field")
    methods = [s for s in owner.body if isinstance(s, ast.FunctionDef) and s.name == _METHOD]
    if not methods or not methods[0].args.args:
        raise RefusedError(f"the dataclass has no `{_METHOD}` to put the call into")
    return _moved(spot, statement, methods[0], factory)


def _factory(spot: Spot, statement: ast.stmt) -> ast.expr | None:
    """The result of the field's factory, if the layer is part of it."""
    match statement:
        case ast.AnnAssign(target=ast.Name(), value=ast.Call(keywords=keywords) as call):
            for keyword in keywords:
                found = keyword.value
                if keyword.arg == "default_factory" and isinstance(found, ast.Lambda):
                    held = last_name(call.func) == "field" and spot.holds(found.body)
                    return found.body if held else None
    return None


def _is_inner(call: ast.Call) -> bool:
    """Whether the constructor takes no value for a field."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    match given.get("init"):
        case ast.Constant(value=False):
            return True
    return False


def _is_dataclass(decorator: ast.expr) -> bool:
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return last_name(name) == "dataclass"


def _moved(spot: Spot, field: ast.AnnAssign, method: ast.FunctionDef, factory: ast.expr) -> Spot:
    assert isinstance(field.target, ast.Name)
    instance = ast.Name(method.args.args[0].arg, ast.Load())
    made = ast.Assign([ast.Attribute(instance, field.target.id, ast.Store())], factory)
    # Its indentation is what that of new calls is taken from.
    ast.copy_location(made, method.body[0])
    arguments = {name: getattr(method, name) for name in method._fields}
    copy = ast.FunctionDef(**{**arguments, "body": [made, *method.body]})
    ast.copy_location(copy, method)
    around = spot.chain[: spot.chain.index(field)]
    within = spot.chain[spot.chain.index(factory) :]
    return Spot((*around, copy, made, *within))
