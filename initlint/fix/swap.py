"""Expressions of one statement replaced in libcst's tree, found by what ast says of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from initlint.fix.text import RefusedError

_SUITES = (cst.BaseSuite, cst.Else, cst.Finally, cst.ExceptHandler, cst.ExceptStarHandler)
_EMPTY = cst.Module([])


@dataclass(frozen=True)
class Swap:
    """The expression `old` of a statement of ast, and the node in its place."""

    statement: ast.stmt
    old: ast.expr
    new: cst.BaseExpression


def swapped(statement: Any, swaps: Sequence[Swap]) -> Any:
    """The statement with all replacements. Raises RefusedError if an expression is not found."""
    if not swaps:
        return statement
    found = _Expressions(statement)
    statement.visit(found)
    new = {}
    for swap in swaps:
        old = found.node(swap)
        # The parentheses around an expression are part of it in libcst, not in ast.
        new[id(old)] = swap.new.with_changes(lpar=old.lpar, rpar=old.rpar)
    return statement.visit(_Replacing(new))


class _Expressions(cst.CSTVisitor):
    """The calls and operations of a statement's own expressions, by where they end."""

    def __init__(self, root: cst.CSTNode) -> None:
        super().__init__()
        self._root = root
        self._found: list[cst.Call | cst.BinaryOperation] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        inner = isinstance(node, (*_SUITES, cst.If, cst.MatchCase)) and node is not self._root
        return not inner

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.Call | cst.BinaryOperation):
            self._found.append(original_node)

    def node(self, swap: Swap) -> cst.Call | cst.BinaryOperation:
        """The node for an expression: of several alike, the one at the same place in the order."""
        wanted = ast.dump(swap.old)
        alike = [node for node in _own(swap.statement) if ast.dump(node) == wanted]
        alike.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
        nodes = [node for node in self._found if _dumped(node) == wanted]
        index = next(i for i, node in enumerate(alike) if node is swap.old)
        if len(nodes) != len(alike):
            raise RefusedError("libcst reads the statement differently from Python")
        return nodes[index]


def _own(statement: ast.stmt) -> Iterator[ast.expr]:
    """The calls and operations of a statement, without those of the statements inside it."""
    pending = list(ast.iter_child_nodes(statement))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue
        if isinstance(node, ast.Call | ast.BinOp):
            yield node
        pending += ast.iter_child_nodes(node)


def _dumped(node: cst.BaseExpression) -> str:
    code = _EMPTY.code_for_node(node)
    try:
        return ast.dump(ast.parse(f"({code}\n)", mode="eval").body)
    except SyntaxError:
        # Inside an f-string the quotes of the string around may be missing.
        return ""


class _Replacing(cst.CSTTransformer):
    """Puts nodes in the places of others."""

    def __init__(self, new: Mapping[int, cst.BaseExpression]) -> None:
        super().__init__()
        self._new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) not in self._new

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        return self._new.get(id(original_node), updated_node)
