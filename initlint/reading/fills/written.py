"""Arguments of initialisers that are not numbers: the source's own expression for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from initlint.reading.reader import Reader
from initlint.torchlib.draws import ARGUMENTS, UNCLEAR, Draw

# Longer expressions are not compared.
_LONGEST = 200
_DEEPEST = 5
# Names of the in-place methods for arguments of torch.nn.init.
_RENAMED = {"from": "a", "to": "b", "value": "val"}


def with_expressions(
    reader: Reader, draw: Draw, name: str, node: ast.AST | None, first: int
) -> Draw:
    """An unclear draw with all arguments: numbers, and as texts those that are none.

    `first` is the place of the argument after the tensor. Two versions of the code can be compared
    by them: `normal_(std=self.config.initializer_range)` is the same in both.
    """
    defaults = ARGUMENTS.get(name)
    if draw.name != UNCLEAR.name or draw.part or defaults is None or not isinstance(node, ast.Call):
        return draw
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return draw
    if any(key.arg is None for key in node.keywords):
        return draw
    given = dict(zip(defaults, node.args[first:], strict=False))
    given |= {_RENAMED.get(key.arg, key.arg): key.value for key in node.keywords if key.arg}
    args = {**defaults, **draw.args}
    for key in given.keys() & defaults.keys() - draw.args.keys():
        args[key] = expression(_function(reader), given[key])
    return replace(draw, args=args) if None not in args.values() else draw


def _function(reader: Reader) -> ast.FunctionDef | None:
    """The function that is read."""
    return next((n for n in reversed(reader.active) if isinstance(n, ast.FunctionDef)), None)


# A hook is read once for every module of every model.
@lru_cache(maxsize=4096)
def expression(function: ast.FunctionDef | None, node: ast.expr) -> str | None:
    """An expression without `self` and the local names of its function; None if it has others.

    `std` after `std = self.config.initializer_range` is `config.initializer_range`.
    """
    local = _locals(function) if function is not None else {}
    try:
        whole = ast.parse(ast.unparse(node), mode="eval")
        text = ast.unparse(_Replaced(local, iter(range(_LONGEST))).visit(whole))
    except (_UnclearError, RecursionError):
        return None
    return text if len(text) <= _LONGEST else None


@lru_cache(maxsize=256)
def _locals(function: ast.FunctionDef) -> Mapping[str, ast.expr | None]:
    """What the names of a function stand for; None for its arguments, and where it is unclear."""
    spec = function.args
    found: dict[str, ast.expr | None] = {
        arg.arg: None for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)
    }
    assigned = dict(_assigned(function))
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            value = assigned.get(node)
            before = found.setdefault(node.id, value)
            is_same = before is not None and value is not None and _text(before) == _text(value)
            found[node.id] = before if is_same else None
    return found


def _assigned(function: ast.FunctionDef) -> Iterator[tuple[ast.Name, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            (target,) = node.targets
            if isinstance(target, ast.Name):
                yield target, node.value


def _text(node: ast.expr) -> str:
    return ast.dump(node)


class _UnclearError(Exception):
    """A name stands for something that the function does not say."""


class _Replaced(ast.NodeTransformer):
    """Puts what local names stand for in their place, and leaves out `self`."""

    def __init__(
        self, local: Mapping[str, ast.expr | None], left: Iterator[int], depth: int = 0
    ) -> None:
        self._local, self._left, self._depth = local, left, depth

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name):
            held = self._local.get(node.value.id)
            if node.value.id == "self":
                return ast.Name(node.attr, ast.Load())
            # An attribute of an argument: which object it is does not matter here.
            return node if held is None else ast.Attribute(self._of(held), node.attr, ast.Load())
        return ast.Attribute(self.visit(node.value), node.attr, ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._local:
            return node
        held = self._local[node.id]
        if held is None:
            raise _UnclearError
        return self._of(held)

    def _of(self, held: ast.expr) -> ast.expr:
        # Names that stand for sums of names that stand for sums grow without end.
        if self._depth == _DEEPEST or next(self._left, None) is None:
            raise _UnclearError
        text = ast.unparse(held)
        if len(text) > _LONGEST:
            raise _UnclearError
        copy = ast.parse(text, mode="eval").body
        found: ast.expr = _Replaced(self._local, self._left, self._depth + 1).visit(copy)
        return found
