"""How the forward of a norm written by hand multiplies with its gain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

# Methods that leave the values as they are, but for their precision.
_CASTS = ("float", "to", "type_as", "double", "half", "bfloat16", "view", "reshape", "unsqueeze")


def is_norm(name: str) -> bool:
    """Whether a class is a normalisation, by its name."""
    return "norm" in name.lower()


@lru_cache(maxsize=1024)
def gain_use(forward: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    """`itself` if forward multiplies with the parameter, `one more` if with 1 + it; else empty.

    Empty, too, where it does both, or does something else with the parameter.
    """
    own = forward.args.args[0].arg if forward.args.args else ""
    parents = {child: node for node in ast.walk(forward) for child in ast.iter_child_nodes(node)}
    found = {_use(node, parents) for node in _reads(forward, own, name)}
    return found.pop() if len(found) == 1 else ""


def _reads(forward: ast.AST, own: str, name: str) -> Iterator[ast.AST]:
    for node in ast.walk(forward):
        is_own = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == own
        if is_own and getattr(node, "attr", "") == name:
            yield node


def _use(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    """What is done with one read of the parameter."""
    outer = parents.get(node)
    while outer is not None and _keeps(node, outer, parents):
        node = parents[outer] if isinstance(outer, ast.Attribute) else outer
        outer = parents.get(node)
    if isinstance(outer, ast.Call) and node in outer.args:
        # F.layer_norm, F.rms_norm and their kin.
        return "itself" if getattr(outer.func, "attr", "").endswith("_norm") else ""
    if not isinstance(outer, ast.BinOp):
        return ""
    if isinstance(outer.op, ast.Mult):
        return "itself"
    other = outer.right if outer.left is node else outer.left
    is_one = isinstance(other, ast.Constant) and other.value == 1
    if not isinstance(outer.op, ast.Add) or not is_one:
        return ""
    return "one more" if _use(outer, parents) == "itself" else ""


def _keeps(node: ast.AST, outer: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether what is around an expression is a cast of it: `w.float()`, or `w[None]`."""
    if isinstance(outer, ast.Subscript):
        return outer.value is node
    return (
        isinstance(outer, ast.Attribute)
        and outer.attr in _CASTS
        and isinstance(parents.get(outer), ast.Call)
    )
