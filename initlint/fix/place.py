"""Where new calls go: the end of the function for what lasts, else right after the statement."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from initlint.fix.edits import WIDTH, Edit, Insertion, Loop, NamedResult
from initlint.fix.names import Tail, Target
from initlint.fix.parsed import Parsed
from initlint.fix.spot import Function, Spot, dotted
from initlint.fix.text import RefusedError
from initlint.records import Finding
from initlint.safe.shown import reach

_MANY = 8
# What gives a tensor its values: a call, arithmetic with new values, or the target that gets them.
_PRESENT = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Subscript)
_AND = "; "


class Place(NamedTuple):
    """After a statement; `lasting` if that is the end of the function.

    `inline` says that the statement shares its line with others. `naming` is how what it returns
    gets a name, so that calls can follow it.
    """

    after: ast.stmt
    lasting: bool
    inline: bool = False
    naming: NamedResult | None = None


def placed(parsed: Parsed, spot: Spot, target: Target, found: Sequence[Tail]) -> Place:
    """The place for the calls that fill `target`. Raises RefusedError."""
    facts = parsed.facts(spot.scope, spot.self_name)
    top = facts.index(spot.top)
    bound = facts.bound(top)
    if target.lasting and facts.freezes(target.base, top):
        raise RefusedError("it is frozen: its weights are not meant to be trained")
    changed = target.lasting and facts.changes(target.base, top)
    if changed and any(tail.derived for tail in found):
        raise RefusedError("a later statement changes where it is kept")
    last = facts.body[bound - 1]
    # forward uses the layer before its end, so the call cannot go there.
    lasting = (
        target.lasting
        and not changed
        and all(tail.sure for tail in found)
        and spot.statement is spot.top
        and getattr(spot.scope, "name", "") != "forward"
        and not facts.may_leave(top, bound)
        and ends_line(parsed, last)
        and begins_line(parsed, facts.body[0])
    )
    return Place(last, True) if lasting else _here(parsed, spot, target)


def _here(parsed: Parsed, spot: Spot, target: Target) -> Place:
    statement = spot.statement
    alone = begins_line(parsed, statement) and ends_line(parsed, statement)
    if isinstance(statement, ast.Return):
        if not alone:
            raise RefusedError("the statement that makes it shares its line with other code")
        return Place(statement, False, naming=NamedResult(statement, target.base))
    return Place(statement, False, inline=not alone)


def begins_line(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether a statement is the first on its line."""
    return not parsed.text.before(statement).strip()


def ends_line(parsed: Parsed, statement: ast.stmt) -> bool:
    """Whether nothing but a comment follows a statement on its last line."""
    after = parsed.text.after(statement).strip()
    return not after or after.startswith("#")


class _Trigger(NamedTuple):
    """The constructor of a class, and the statement in it that initialises again."""

    owner: ast.ClassDef
    constructor: ast.FunctionDef
    statement: ast.stmt
    name: str


class Named(NamedTuple):
    """A parameter by the names of the model: the loops around it, and what owns it."""

    headers: tuple[Loop, ...]
    owner: str
    parameter: str


def after_later(
    parsed: Parsed, spot: Spot, finding: Finding, place: Place
) -> tuple[Place, list[Named]] | None:
    """The place after what would undo calls at `place`, and the tensors as they are called there.

    None if nothing would. Raises RefusedError if the names do not say how to reach them.
    """
    trigger = _trigger(parsed, spot, finding)
    if trigger is None:
        return None
    if trigger.constructor is spot.scope and _end_line(place.after) >= _end_line(trigger.statement):
        return None
    if finding.model.rpartition(":")[2] != trigger.owner.name:
        raise RefusedError(f"`{trigger.name}`, which `{trigger.owner.name}` calls, would undo it")
    self_name = trigger.constructor.args.args[0].arg
    names = finding.parameters or (finding.parameter,)
    return _end(parsed, trigger), list(_by_names(self_name, names))


def _trigger(parsed: Parsed, spot: Spot, finding: Finding) -> _Trigger | None:
    """The constructor's statement that gives the layer its present values, if there is one."""
    present = finding.current
    if present is None or present.default or present.site is None or not finding.fix:
        return None
    if present.site.path != finding.fix.site.path:
        return None
    try:
        chain = parsed.spot(present.site, *_PRESENT).chain
    except RefusedError:
        return None
    functions = [node for node in chain if isinstance(node, Function)]
    name = functions[0].name if functions else ""
    if name == "__init__":
        return _itself(chain)
    found = _triggers(parsed, name)
    return found.get(spot.owner) or next(iter(found.values()), None)


def _itself(chain: Sequence[ast.AST]) -> _Trigger | None:
    """A constructor that itself makes the call."""
    match chain[:4]:
        case (
            _,
            ast.ClassDef() as owner,
            ast.FunctionDef() as constructor,
            ast.stmt() as statement,
        ):
            return _Trigger(owner, constructor, statement, "__init__")
    return None


@lru_cache(maxsize=64)
def _triggers(parsed: Parsed, name: str) -> Mapping[ast.ClassDef | None, _Trigger]:
    """By class, the last statement of its constructor that runs the function `name`."""
    found: dict[ast.ClassDef | None, _Trigger] = {}
    for owner in parsed.classes:
        for method in owner.body:
            if not isinstance(method, ast.FunctionDef) or method.name != "__init__":
                continue
            for statement in reversed(method.body):
                if _runs(statement, name):
                    found.setdefault(owner, _Trigger(owner, method, statement, name))
                    break
    return found


def _runs(statement: ast.stmt, name: str) -> bool:
    """Whether a statement calls a function, or applies it to all modules."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="post_init"))):
            return name == "_init_weights"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="apply"), args=[argument])):
            return any(_called(node) == name for node in ast.walk(argument))
        case ast.Expr(value=ast.Call(func=function)):
            return _called(function) == name
    return False


def _called(node: ast.AST) -> str:
    return (dotted(node) or "").rpartition(".")[2]


def _end(parsed: Parsed, trigger: _Trigger) -> Place:
    """Behind the statement that initialises again: the end of the constructor, if nothing between
    them reads the weights."""
    body = trigger.constructor.body
    index = body.index(trigger.statement)
    facts = parsed.facts(trigger.constructor, trigger.constructor.args.args[0].arg)
    end = facts.bound(index)
    last = body[end - 1]
    if not begins_line(parsed, body[0]) or facts.may_leave(index, end):
        raise RefusedError(f"`{trigger.name}` would undo it, and calls cannot follow that")
    if not ends_line(parsed, last):
        raise RefusedError(f"`{trigger.name}` would undo it, and shares its line")
    return Place(last, True)


def _by_names(self_name: str, names: Sequence[str]) -> Iterator[Named]:
    """The tensors of qualified names; a loop where they are the members of one container."""
    split = [name.split(".") for name in names]
    alike = {len(parts) for parts in split} == {len(split[0])}
    columns = [set(column) for column in zip(*split, strict=True)] if alike else []
    varying = [index for index, column in enumerate(columns) if len(column) > 1]
    if len(varying) == 1 and columns[varying[0]] == set(map(str, range(len(names)))):
        at = varying[0]
        container = reach(self_name, split[0][:at])
        rest = split[0][at + 1 :]
        variable = "layer" if len(rest) == 1 else "block"
        loop = Loop(variable, container)
        yield Named((loop,), reach(variable, rest[:-1]), "".join(rest[-1:]))
        return
    if len(names) > _MANY:
        raise RefusedError(
            "a later call would undo it, and its layers are not members of a single list"
        )
    for parts in split:
        yield Named((), reach(self_name, parts[:-1]), parts[-1])


def _end_line(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def beside(parsed: Parsed, line: int, new: Sequence[Insertion]) -> list[Insertion]:
    """The calls after a semicolon; on lines of their own where that line has no room for them."""
    if line in parsed.full or any(insertion.headers for insertion in new):
        return list(new)
    return [insertion._replace(place="joined") for insertion in new]


def overfull(parsed: Parsed, edits: Iterable[Edit]) -> set[int]:
    """The lines that calls behind semicolons make longer than a line should be."""
    added: dict[int, int] = {}
    for edit in dict.fromkeys(edits):
        if isinstance(edit, Insertion) and edit.place == "joined":
            line = edit.anchor.end_lineno or edit.anchor.lineno
            added[line] = added.get(line, 0) + len(_AND + edit.call.text())
    lines = parsed.text.lines
    return {n for n, width in added.items() if len(lines[n - 1].rstrip("\r\n")) + width > WIDTH}
