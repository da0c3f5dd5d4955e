"""Calls for the end of a constructor, put into the form that is asked for or stands there."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from initlint.fix.callback import in_callback, in_new_callback
from initlint.fix.layout import Insertion
from initlint.fix.locate import Function, Spot, dotted, last_name
from initlint.fix.parsed import Parsed, entry_of
from initlint.fix.rooms import Place, ends_line, line_after
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
        return _appended(parsed, spot, method, new)
    if style == "method" and _may_have_method(parsed, spot):
        return _in_new_method(parsed, spot, place, new)
    applied = in_new_callback(parsed, spot, fix, place, new) if style == "apply" else None
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
    lines = [*insertion.headers, insertion.call]
    return ast.parse("\n".join(" " * depth + line for depth, line in enumerate(lines)))


def _is_looped(insertion: Insertion, node: ast.AST) -> bool:
    """Whether a name is the variable of one of the insertion's own loops."""
    loops = [text.split()[1] for text in insertion.headers if text.startswith("for ")]
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
        and not parsed.text.before(method.body[0]).strip()
        and ends_line(parsed, method.body[-1])
    )


def _appended(
    parsed: Parsed, spot: Spot, method: ast.FunctionDef, new: Sequence[Insertion]
) -> list[Insertion]:
    """The calls at the end of a method that is there already."""
    indent = parsed.text.before(method.body[0]).replace("\f", "")
    line = line_after(parsed, method.body[-1], indent)
    last = parsed.block(method.body).last
    missing = [i for i in new if entry_of(i.headers, i.call) not in last]
    return [replace(i, line=line, indent=indent) for i in missing]


def _may_have_method(parsed: Parsed, spot: Spot) -> bool:
    """Whether a new method hides nothing, and no class in the file hides it."""
    owner = spot.owner
    assert owner is not None
    defined = {node.name for node in owner.body if isinstance(node, Function)}
    heirs = [c for c in parsed.classes if owner.name in {last_name(base) for base in c.bases}]
    hidden = any(METHOD in {getattr(node, "name", "") for node in heir.body} for heir in heirs)
    bare = all(last_name(base) in _BARE for base in owner.bases) and not owner.keywords
    return bare and METHOD not in defined and not hidden


def _in_new_method(
    parsed: Parsed, spot: Spot, place: Place, new: Sequence[Insertion]
) -> list[Insertion]:
    """The calls in a method of their own after the constructor, which calls it at its end."""
    scope, self_name = spot.scope, spot.self_name
    assert isinstance(scope, ast.FunctionDef)
    outer = parsed.text.before(scope)
    line = line_after(parsed, scope.body[-1], place.indent)
    returns = " -> None" if scope.returns else ""
    header = f"def {METHOD}({self_name}){returns}:"
    call = f"{self_name}.{METHOD}()"
    moved = [replace(i, line=line, indent=outer, headers=(header, *i.headers)) for i in new]
    return [replace(new[0], headers=(), call=call, tensor=call, order=_LAST, variable=""), *moved]
