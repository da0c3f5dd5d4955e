"""How a question to a module or a parameter is written: its form, and its two sides."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_DIMENSIONS = ("dim", "ndim", "ndimension")
_PREFIXES = ("startswith", "endswith")


def atoms(node: ast.expr) -> Iterator[ast.expr]:
    """The conditions that `and`, `or` and `not` join."""
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from atoms(part)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from atoms(node.operand)
    else:
        yield node


def form_of(node: ast.expr) -> str:
    """The form of a question, as it is written; empty for anything else."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", "")
        if name in ("isinstance", "hasattr") and len(node.args) == 2:
            return "class" if name == "isinstance" else "attribute"
        method = node.func.attr if isinstance(node.func, ast.Attribute) and node.args else ""
        # The place of a text is no answer: -1, where it is not there, is true.
        return "place" if method == "find" else "part" if method in _PREFIXES else ""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return ""
    left, operator = node.left, node.ops[0]
    if _class_of(left) is not None:
        return "type"
    if isinstance(left, ast.Call) and getattr(left.func, "attr", "") == "find" and left.args:
        return "find"
    if _measured(left) is not None:
        return "shape"
    if isinstance(operator, (ast.In, ast.NotIn)):
        return "inside" if isinstance(left, ast.Constant) else "equal"
    is_equality = isinstance(operator, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot))
    return "equal" if is_equality else ""


def _class_of(node: ast.expr) -> ast.expr | None:
    """x of `type(x)` and `x.__class__`, and of `str()` of these."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str" and node.args:
        node = node.args[0]
    if isinstance(node, ast.Attribute) and node.attr == "__class__":
        return node.value
    is_type = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "type"
    return node.args[0] if is_type and len(node.args) == 1 else None  # type: ignore[attr-defined]


def _measured(node: ast.expr) -> ast.expr | None:
    """x of `x.dim()`, `x.ndim`, `len(x.shape)` and `len(x.size())`."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "len" and node.args:
        inner = node.args[0].func if isinstance(node.args[0], ast.Call) else node.args[0]
        is_shape = isinstance(inner, ast.Attribute) and inner.attr in ("shape", "size")
        return inner.value if is_shape else None  # type: ignore[attr-defined]
    inner = node.func if isinstance(node, ast.Call) else node
    is_count = isinstance(inner, ast.Attribute) and inner.attr in _DIMENSIONS
    return inner.value if is_count else None  # type: ignore[attr-defined]


def is_opposite(node: ast.Compare, form: str) -> bool:
    if form == "find":
        # It gives -1 for a text that is not there.
        return isinstance(node.ops[0], (ast.Eq, ast.Lt))
    return isinstance(node.ops[0], (ast.NotEq, ast.NotIn, ast.IsNot))


def sides(node: ast.expr, form: str) -> tuple[ast.expr, ast.expr, bool]:
    """Of what a question is asked, what it asks for, and whether that must be equal."""
    if isinstance(node, ast.Call):
        if form in ("part", "place"):
            assert isinstance(node.func, ast.Attribute)
            return node.func.value, node.args[0], False
        return node.args[0], node.args[1], False
    assert isinstance(node, ast.Compare)
    left, right = node.left, node.comparators[0]
    if form == "type":
        return _class_of(left) or left, right, True
    if form == "shape":
        return _measured(left) or left, right, False
    if form == "find":
        assert isinstance(left, ast.Call) and isinstance(left.func, ast.Attribute)
        return left.func.value, left.args[0], False
    if form == "inside":
        return right, left, False
    is_turned = isinstance(left, ast.Constant)
    return (right, left, True) if is_turned else (left, right, True)
