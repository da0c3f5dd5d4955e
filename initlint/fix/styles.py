"""Puts calls for the end of a constructor into the wanted style, or into an existing method."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from initlint.fix.edits import Function, Header, Insertion, Invocation, Loop, Test, is_instance
from initlint.fix.parsed import Parsed, entry_of
from initlint.fix.place import Place, begins_line, ends_line
from initlint.fix.scope import Facts
from initlint.fix.spot import Function as Definition
from initlint.fix.spot import Position, Spot, dotted, last_name
from initlint.fix.text import RefusedError
from initlint.records import Fix

METHOD = "reset_parameters"
# Methods that people keep their initialisation in.
_METHODS = (METHOD, "init_weights", "_init_weights", "initialize_weights", "_initialize_weights")
# Bases that do not define a method of this name.
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
    """The insertions in the wanted style, or in the method that initialises already.

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
    """Whether the calls use local names of the constructor."""
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
    facts = parsed.facts(spot.scope, spot.self_name)
    later = facts.calls_after(facts.index(spot.top))
    names = {dotted(call.func) for call in later if not call.args and not call.keywords}
    for node in spot.owner.body:
        if not isinstance(node, ast.FunctionDef) or node.name not in _METHODS:
            continue
        if f"{spot.self_name}.{node.name}" in names and _takes_calls(parsed, spot, node):
            return node
    return None


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
    """The calls at the end of an existing method."""
    last = parsed.block(method.body).last
    missing = [insertion for insertion in new if entry_of(insertion.lines()) not in last]
    return [insertion._replace(anchor=method.body[-1]) for insertion in missing]


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
    moved = [i._replace(anchor=scope, headers=(head, *i.headers)) for i in new]
    call = Invocation(f"{self_name}.{METHOD}()")
    # Of no layer: the calls of several layers' methods are one.
    called = new[0]._replace(headers=(), call=call, order=_LAST, variable="", member=None)
    return [called, *moved]


NAME, VARIABLE = "init_weights", "module"


class _Function(NamedTuple):
    """A function of one module, and the name of that module in it."""

    node: ast.FunctionDef
    variable: str


def in_callback(
    parsed: Parsed, spot: Spot, fix: Fix, new: Sequence[Insertion]
) -> list[Insertion] | None:
    """The insertions in an arm of a function that the constructor applies to all modules.

    None where there is none, or where the layer's type does not decide.
    """
    written = _deciding_type(parsed, spot, fix, new)
    found = next(_applied(parsed, spot), None) if written else None
    return _extended(parsed, found, written, new) if found and written else None


def in_new_callback(
    parsed: Parsed, spot: Spot, fix: Fix, new: Sequence[Insertion]
) -> list[Insertion] | None:
    """The insertions in a function of ours, applied at the end of the constructor."""
    written = _deciding_type(parsed, spot, fix, new)
    if written is None or any(_applied(parsed, spot)):
        return None
    return _new(parsed, spot, written, new)


def _deciding_type(parsed: Parsed, spot: Spot, fix: Fix, new: Sequence[Insertion]) -> str | None:
    """The layer's class as it is written, if all layers of it may get the call."""
    if not fix.of_type or fix.cases or not all(_is_own(insertion) for insertion in new):
        return None
    written = dotted(spot.call.func)
    if written is None or written.rpartition(".")[2] != fix.of_type:
        return None
    return None if written.partition(".")[0] in parsed.hidden(spot) else written


def _is_own(insertion: Insertion) -> bool:
    """Whether a call fills a layer's own weight or bias."""
    return insertion.call.parameter in ("weight", "bias")


def _applied(parsed: Parsed, spot: Spot) -> Iterator[_Function]:
    """The functions that the constructor applies to all modules after it has made the layer."""
    assert spot.owner is not None
    facts = parsed.facts(spot.scope, spot.self_name)
    for call in facts.calls_after(facts.index(spot.top)):
        match call:
            case ast.Call(func=ast.Attribute(attr="post_init"), args=[]):
                yield from _functions(spot.owner.body, "_init_weights", 1)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr="apply"), args=[argument]
            ) if owner == spot.self_name:
                name = dotted(argument) or ""
                own = name.removeprefix(f"{owner}.")
                body = spot.owner.body if own != name else parsed.tree.body
                yield from _functions(body, own, 1 if own != name else 0)


def _functions(body: Sequence[ast.stmt], name: str, skipped: int) -> Iterator[_Function]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == name and not node.decorator_list:
            arguments = [*node.args.posonlyargs, *node.args.args]
            if len(arguments) == skipped + 1:
                yield _Function(node, arguments[skipped].arg)


def _extended(
    parsed: Parsed, function: _Function, written: str, new: Sequence[Insertion]
) -> list[Insertion] | None:
    """The calls in the function's arm for the type; None where its arms are not understood."""
    body = function.node.body
    chain = next((s for s in reversed(body) if isinstance(s, ast.If)), None)
    plain = (ast.If, ast.Expr, ast.Assign, ast.Pass)
    if chain is None or not all(isinstance(statement, plain) for statement in body):
        return None
    arms = list(_arms(chain))
    named = [_classes(arm.test, function.variable) for arm in arms]
    if any(classes is None for classes in named) or _returns(function.node):
        return None
    for arm, classes in zip(arms, named, strict=True):
        if classes and written in classes:
            tests = () if len(classes) == 1 else (is_instance(function.variable, [written]),)
            return _into(parsed, function, arm.body, tests, new)
    if arms[-1].orelse:
        return None
    return _new_arm(parsed, function, chain, arms[-1], written, new)


def _arms(chain: ast.If) -> Iterator[ast.If]:
    yield chain
    while len(chain.orelse) == 1 and isinstance(chain.orelse[0], ast.If):
        chain = chain.orelse[0]
        yield chain


def _classes(test: ast.expr, variable: str) -> list[str] | None:
    """The classes that an arm names, as they are written; None if its test is of another kind."""
    match test:
        case ast.Call(func=ast.Name("isinstance"), args=[ast.Name(name), classes]):
            if name == variable:
                members = classes.elts if isinstance(classes, ast.Tuple) else [classes]
                return [dotted(member) or "" for member in members]
        case ast.BoolOp(op=ast.Or(), values=values):
            found = [_classes(value, variable) for value in values]
            if all(found):
                return [name for classes in found for name in classes or ()]
    return None


def _returns(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Return) for node in ast.walk(function))


def _into(
    parsed: Parsed,
    function: _Function,
    body: list[ast.stmt],
    tests: tuple[Header, ...],
    new: Sequence[Insertion],
) -> list[Insertion] | None:
    """The calls at the end of an arm."""
    if not begins_line(parsed, body[0]) or not ends_line(parsed, body[-1]):
        return None
    last = parsed.block(body).last
    found = [i._replace(headers=(*tests, *i.headers)) for i in _of_module(new, function.variable)]
    missing = [insertion for insertion in found if entry_of(insertion.lines()) not in last]
    return [insertion._replace(anchor=body[-1]) for insertion in missing]


def _new_arm(
    parsed: Parsed,
    function: _Function,
    chain: ast.If,
    last: ast.If,
    written: str,
    new: Sequence[Insertion],
) -> list[Insertion] | None:
    """The calls in an arm of their own after the last one."""
    lined = begins_line(parsed, chain) and begins_line(parsed, last.body[0])
    if not lined or not ends_line(parsed, last.body[-1]):
        return None
    test = is_instance(function.variable, [written])
    return [
        i._replace(
            anchor=chain, place="arm", order=(0, written, i.order[2]), headers=(test, *i.headers)
        )
        for i in _of_module(new, function.variable)
    ]


def _of_module(new: Sequence[Insertion], variable: str) -> list[Insertion]:
    """The calls of one layer, as they read for the module that the function is given.

    The same for all layers of a type, so that what several findings want is written once.
    """
    found: dict[str, Insertion] = {}
    for insertion in new:
        call = insertion.call.renamed(insertion.call.owner, variable)
        # Of the layers that share the call, some may have been made without a bias.
        tests = (Test(f"{variable}.bias"),) if call.parameter == "bias" else ()
        order = (0, "", insertion.order[2])
        changed = insertion._replace(order=order, headers=tests, call=call, variable="")
        found.setdefault(call.parameter, changed)
    return list(found.values())


def _new(
    parsed: Parsed, spot: Spot, written: str, new: Sequence[Insertion]
) -> list[Insertion] | None:
    """The calls in a new function before the classes, applied at the end of the constructor."""
    first = next((s for s in parsed.tree.body if isinstance(s, ast.ClassDef)), None)
    if first is None or NAME in parsed.all_names:
        return None
    if not begins_line(parsed, first):
        return None
    headers = (_head(parsed, (first.lineno, 0)), is_instance(VARIABLE, [written]))
    calls = [
        i._replace(
            anchor=first,
            place="before",
            order=(0, written, i.order[2]),
            headers=(*headers, *i.headers),
        )
        for i in _of_module(new, VARIABLE)
    ]
    applied = Invocation(f"{spot.self_name}.apply({NAME})")
    return [new[0]._replace(headers=(), call=applied, order=(0, "", 0), variable=""), *calls]


def _head(parsed: Parsed, at: Position) -> Function:
    """The function's first line, annotated where the file's methods are; the same for all."""
    methods = [node for owner in parsed.classes for node in owner.body]
    typed = any(isinstance(node, ast.FunctionDef) and node.returns for node in methods)
    module = ""
    if typed:
        with suppress(RefusedError):
            module = parsed.speller.module(frozenset(), at)
    annotation = f"{module}.Module" if module else ""
    return Function(NAME, VARIABLE, annotation, returns=bool(module))
