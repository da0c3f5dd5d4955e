"""Names of parameters that are bound to new tensors, which nothing uses: the parameter stays."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Listing
from initlint.reading.abstract.values import Fresh, Held, Slot, Value
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.fills.effects import is_copy, is_sure, note
from initlint.reading.reader import Reader
from initlint.torchlib.creators import CREATORS

_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def rebinding(
    reader: Reader, node: ast.Assign, code: Callable[[Frame], Value]
) -> Callable[[Frame], None] | None:
    """The compiled `p = torch.zeros_like(p)`, which notes where p was a parameter's name.

    None for assignments that give no new tensor.
    """
    target = node.targets[0]
    if len(node.targets) > 1 or not isinstance(target, ast.Name) or not _is_new(node.value):
        return None
    name = target.id
    # In a constructor, a name may be used for one parameter after the other.
    is_next = _called(node.value) == "Parameter" and not any(
        getattr(part, "id", "") == name for part in ast.walk(node.value)
    )

    def step(frame: Frame) -> None:
        old = frame.names.get(name)
        frame.names[name] = code(frame)
        slot = old.slot if isinstance(old, Held) else old
        is_meant = reader.visits or (reader.constructing is not None and not is_next)
        if isinstance(slot, Slot) and is_meant and is_sure(reader) and _is_dead(reader, node, name):
            why = "it binds the name to a new tensor; the parameter stays as it is"
            note(reader, node, f"the assignment to {name}", [slot], "lost", why)

    return step


def _is_new(node: ast.expr) -> bool:
    """Whether an expression gives a tensor of its own."""
    name = _called(node)
    return isinstance(node, ast.BinOp) or name in CREATORS or name == "Parameter"


def _called(node: ast.expr) -> str:
    """The last name of the function that an expression calls; empty for any other expression."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _is_dead(reader: Reader, node: ast.stmt, name: str) -> bool:
    """Whether no code reads what an assignment binds to a name."""
    scope = _scope(reader)
    return not any(_is_after(read, node, scope, name) for read in _reads(scope, name))


def is_lost_copy(reader: Reader, node: ast.expr | None) -> bool:
    """Whether an expression gives a copy that nothing else uses: of a tensor, or of its rows.

    A name does so if the function uses it nowhere else.
    """
    if not isinstance(node, ast.Name):
        return is_copy(node) or (isinstance(node, ast.Subscript) and _is_list(reader, node.slice))
    found = reader.lost_copies.get(node)
    if found is None:
        found = reader.lost_copies[node] = _is_only_filled(_scope(reader), node.id)
    return found


def _is_list(reader: Reader, index: ast.expr) -> bool:
    """Whether an index is a name of a list, or of a tensor of indices: these give copies."""
    if not isinstance(index, (ast.Name, ast.Attribute)):
        return False
    value = code_of(reader, index)(reader.frames[-1])
    is_vector = isinstance(value, Fresh) and bool(value.shape)
    return is_vector or isinstance(value, Listing)


def _is_only_filled(scope: ast.AST, name: str) -> bool:
    made = [n for n in ast.walk(scope) if isinstance(n, ast.Assign) and _sets(n, name)]
    is_copy = len(made) == 1 and any(getattr(n, "attr", "") == "clone" for n in ast.walk(made[0]))
    return is_copy and len(list(_reads(scope, name))) == 1


def _sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for t in node.targets for n in ast.walk(t))


def _scope(reader: Reader) -> ast.AST:
    """The function that is running, or the file."""
    functions = [n for n in reader.active if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return functions[-1] if functions else reader.frames[-1].module.source.tree


def _reads(scope: ast.AST, name: str) -> Iterator[ast.AST]:
    for node in ast.walk(scope):
        if (
            (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load))
            or (isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == name)
            or (isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names)
        ):
            yield node


def _is_after(read: ast.AST, node: ast.stmt, scope: ast.AST, name: str) -> bool:
    """Whether a read may see what an assignment has bound: below it, or in the next round."""
    if isinstance(read, (ast.Global, ast.Nonlocal)):
        return True
    loops = [n for n in ast.walk(scope) if isinstance(n, _LOOPS) and _contains(n, read)]
    if getattr(read, "lineno", 0) > (node.end_lineno or node.lineno):
        # Another loop over this name binds it anew before it is read there.
        return not any(_binds(n, name) and not _contains(n, node) for n in loops)
    # So does this loop in every round.
    again = [n for n in loops if not _binds(n, name) and _contains(n, node)]
    return bool(again) and not _contains(node, read)


def _contains(outer: ast.stmt, inner: ast.AST) -> bool:
    last = outer.end_lineno or outer.lineno
    return outer.lineno <= getattr(inner, "lineno", 0) <= last


def _binds(loop: ast.AST, name: str) -> bool:
    target = getattr(loop, "target", None)
    return target is not None and any(getattr(n, "id", "") == name for n in ast.walk(target))
