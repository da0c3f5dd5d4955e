"""Legacy constructors such as torch.FloatTensor, which torch shows to no mode: seen in the source.

Whoever makes a parameter of `torch.FloatTensor(2, 3)` gets memory that nothing wrote;
`torch.FloatTensor([2, 3])` has these numbers.
"""

from __future__ import annotations

import ast
import linecache
from functools import cache
from types import FrameType

import torch

from initlint.records import Site
from initlint.torchlib.creators import EMPTY


def is_sized(frame: FrameType, site: Site) -> bool:
    """Whether the call at `site` makes a parameter or buffer of a legacy constructor of sizes."""
    found = _call_at(frame.f_code.co_filename, site)
    given = found.args if found is not None else []
    # register_buffer has the name first.
    inner = next((a for a in given if not isinstance(a, ast.Constant)), None)
    return inner is not None and _gives_memory(inner, frame)


# Methods that give the memory of their tensor, or a copy of it.
_KEEPING = {
    *("cuda", "cpu", "to", "float", "double", "half", "type", "contiguous", "clone", "detach"),
    *("view", "reshape", "unsqueeze", "squeeze", "t", "transpose", "permute", "expand"),
    *("requires_grad_", "data"),
}


def _gives_memory(inner: ast.expr, frame: FrameType) -> bool:
    """Whether an expression calls a legacy constructor with sizes, whichever way it goes."""
    if isinstance(inner, ast.IfExp):
        return _gives_memory(inner.body, frame) and _gives_memory(inner.orelse, frame)
    if isinstance(inner, ast.Name):
        made = _assigned(inner, frame)
        return made is not None and _gives_memory(made, frame)
    if isinstance(inner, ast.Attribute) and inner.attr in _KEEPING:
        return _gives_memory(inner.value, frame)
    if not isinstance(inner, ast.Call):
        return False
    if isinstance(inner.func, ast.Attribute) and inner.func.attr in _KEEPING:
        return _gives_memory(inner.func.value, frame)
    name = getattr(inner.func, "attr", "") or getattr(inner.func, "id", "")
    if name not in EMPTY or not name[0].isupper() or not inner.args:
        return False
    first = inner.args[0]
    return len(inner.args) > 1 or isinstance(first, ast.Starred) or _is_size(first, frame)


def _assigned(name: ast.Name, frame: FrameType) -> ast.expr | None:
    """What the last line above the present one, in the same function, assigns to a name."""
    tree = _parsed(frame.f_code.co_filename)
    first, last = frame.f_code.co_firstlineno, frame.f_lineno
    found = [
        node
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.Assign)
        and first <= node.lineno < last
        and any(getattr(target, "id", "") == name.id for target in node.targets)
    ]
    return max(found, key=lambda node: node.lineno).value if found else None


@cache
def _parsed(path: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _call_at(path: str, site: Site) -> ast.Call | None:
    """The call that stands at a site, parsed."""
    lines = [linecache.getline(path, n) for n in range(site.line, site.end_line + 1)]
    if not lines or not lines[-1]:
        return None
    lines[-1] = lines[-1][: site.end_column - 1]
    lines[0] = lines[0][site.column - 1 :]
    try:
        tree = ast.parse("(" + "".join(lines) + ")", mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    return tree.body if isinstance(tree.body, ast.Call) else None


def _is_size(node: ast.expr, frame: FrameType) -> bool:
    """Whether an argument is a number or a torch.Size, as far as names and attributes tell."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    if isinstance(node, ast.Call):
        return (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in ("Size", "size")
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return True
    if isinstance(node, ast.BinOp):
        return _is_size(node.left, frame) and _is_size(node.right, frame)
    if isinstance(node, ast.Name):
        value = frame.f_locals.get(node.id, frame.f_globals.get(node.id))
        return isinstance(value, (int, torch.Size))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = frame.f_locals.get(node.value.id)
        return isinstance(getattr(owner, "__dict__", {}).get(node.attr), int)
    return False
