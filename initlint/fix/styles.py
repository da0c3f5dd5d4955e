"""Calls for the end of a constructor, put into the form that is asked for or stands there."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from initlint.fix.callback import in_callback, in_new_callback
from initlint.fix.edits import Function, Insertion, Invocation, Loop
from initlint.fix.locate import Function as Definition
from initlint.fix.locate import Spot, dotted, last_name
from initlint.fix.parsed import Parsed, entry_of
from initlint.fix.rooms import Place, begins_line, ends_line
from initlint.fix.scope import Facts
from initlint.records import Fix

METHOD = "reset_parameters"
# Methods that people keep their initialisation in.
_METHODS = (METHOD, "init_weights", "_init_weights", "initialize_weights", "_initialize_weights")
# What may be derived from without having a method of this name already.
_BARE = {"Module", "Sequential", "ModuleList", "ModuleDict"}
_LAST = (1 << 60, "", 0)


def arranged(
    parsed: Parsed,
    spot: Spot,
    fix: Fix,
    place: Place,
    new: Sequence[Insertion],
    style: str,
) -> list[Insertion]:
    """The insertions where the style wants them, or where the class initialises already.

    What cannot stand there (what names local variables, or is made in a branch or a loop) stays
    at the end of the constructor.
    """
    if not new or not place.lasting or not _in_constructor(spot) or _is_local(parsed, spot, new):
        return list(new)
    # First what a layer's type decides: a method of ours must not win it over in a second run.
    extended = in_callback(parsed, spot, fix, new)
    if extended is not None:
        return extended
    method = _called_method(parsed, spot)
    if method is not None:
        return _appended(parsed, method, new)
    if style == "method" and _may_have_method(parsed, spot):
        return _in_new_method(spot, new)
    applied = in_new_callback(parsed, spot, fix, new) if style == "apply" else None
    return list(new) if applied is None else applied


def _in_constructor(spot: Spot) -> bool:
    return spot.self_name is not None and getattr(spot.scope, "name", "") in (
        "__init__",
        "__post_init__",
    )


def _is_local(parsed: Parsed, spot: Spot, new: Sequence[Insertion]) -> bool:
    """Whether the calls name what only the constructor knows."""
    own = parsed.hidden(spot) - {spot.self_name}
    return any(
        isinstance(node, ast.Name) and node.id in own and not isinstance(node.ctx, ast.Store)
        for insertion in new
        for node in ast.walk(_tree(insertion))
        if not _is_looped(insertion, node)
    )


def _tree(insertion: Insertion) -> ast.AST:
    lines = insertion.lines()
    return ast.parse("\n".join(" " * depth + line for depth, line in enumerate(lines)))


def _is_looped(insertion: Insertion, node: ast.AST) -> bool:
    """Whether a name is the variable of one of the insertion's own loops."""
    loops = [header.variable for header in insertion.headers if isinstance(header, Loop)]
    return isinstance(node, ast.Name) and node.id in loops


def _called_method(parsed: Parsed, spot: Spot) -> ast.FunctionDef | None:
    """The method that fills the weights, if the constructor calls it after making the layer."""
    assert spot.owner is not None
    facts = parsed.facts(spot)
    top = facts.index(spot.top)
    later = facts.body[top + 1 : facts.bound(top)]
    calls = [s.value.func for s in later if _is_bare_call(s)]  # type: ignore[attr-defined]
    names = {dotted(function) for function in calls}
    for node in spot.owner.body:
        if not isinstance(node, ast.FunctionDef) or node.name not in _METHODS:
            continue
        if f"{spot.self_name}.{node.name}" in names and _takes_calls(parsed, spot, node):
            return node
    return None


def _is_bare_call(statement: ast.stmt) -> bool:
    """Whether a statement is a call without arguments."""
    match statement:
        case ast.Expr(value=ast.Call(args=[], keywords=[])):
            return True
    return False


def _takes_calls(parsed: Parsed, spot: Spot, method: ast.FunctionDef) -> bool:
    """Whether calls can be added at a method's end, and run whenever it is called."""
    arguments = method.args
    named = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    facts = Facts(method.body, spot.self_name)
    return (
        named[:1] == [spot.self_name]
        and not facts.may_leave(-1, len(method.body))
        and facts.bound(-1) == len(method.body)
        and method.body[0].lineno > method.lineno
        and begins_line(parsed, method.body[0])
        and ends_line(parsed, method.body[-1])
    )


def _appended(parsed: Parsed, method: ast.FunctionDef, new: Sequence[Insertion]) -> list[Insertion]:
    """The calls at the end of a method that is there already."""
    last = parsed.block(method.body).last
    missing = [insertion for insertion in new if entry_of(insertion.lines()) not in last]
    return [replace(insertion, anchor=method.body[-1]) for insertion in missing]


def _may_have_method(parsed: Parsed, spot: Spot) -> bool:
    """Whether a new method hides nothing, and no class in the file hides it."""
    owner = spot.owner
    assert owner is not None
    defined = {node.name for node in owner.body if isinstance(node, Definition)}
    heirs = [c for c in parsed.classes if owner.name in {last_name(base) for base in c.bases}]
    hidden = any(METHOD in {getattr(node, "name", "") for node in heir.body} for heir in heirs)
    bare = all(last_name(base) in _BARE for base in owner.bases) and not owner.keywords
    return bare and METHOD not in defined and not hidden


def _in_new_method(spot: Spot, new: Sequence[Insertion]) -> list[Insertion]:
    """The calls in a method of their own after the constructor, which calls it at its end."""
    scope, self_name = spot.scope, spot.self_name or "self"
    assert isinstance(scope, ast.FunctionDef)
    head = Function(METHOD, self_name, returns=bool(scope.returns))
    moved = [replace(i, anchor=scope, headers=(head, *i.headers)) for i in new]
    call = Invocation(f"{self_name}.{METHOD}()")
    return [replace(new[0], headers=(), call=call, order=_LAST, variable=""), *moved]
