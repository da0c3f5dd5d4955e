"""From a finding to new calls: what names the layer, where the call goes, how it reads."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from initlint.fix.layout import Insertion
from initlint.fix.locate import Spot, last_name
from initlint.fix.member import Attribute, Each, Guard, Handed, Item, Step
from initlint.fix.parsed import Parsed, entry_of
from initlint.fix.qualified import PARAMETER, Tail, access, tails
from initlint.fix.target import Naming, Target
from initlint.fix.text import RefusedError
from initlint.records import Finding, Fix

# Loop variables: for the layer itself, for something around it, for a bare parameter.
_VARIABLES = {
    "layer": ("layer", "module", "member", "the_layer"),
    "block": ("block", "group", "section", "the_block"),
    "parameter": ("parameter", "tensor", "weight", "the_parameter"),
}


@dataclass(frozen=True)
class _Place:
    """After the statement that ends on `line`; `lasting` if that is the end of the function."""

    line: int
    indent: str
    lasting: bool


def insertions(parsed: Parsed, finding: Finding, fix: Fix) -> tuple[list[Insertion], bool]:
    """The calls that fill what is made at the fix's site, and whether they need an import.

    Calls that already stand there are left out. Raises RefusedError.
    """
    spot = parsed.spot(fix.site)
    _check_room(parsed, spot)
    target = Naming(spot, parsed.text, parsed.own_classes).target()
    names = finding.parameters or (finding.parameter,)
    found = tails(spot.call, names, target.pattern)
    place = _place(parsed, spot, target, found)
    order = (spot.call.lineno, spot.call.col_offset)
    new: list[Insertion] = []
    needs_import = False
    for tail in found:
        headers, tensor = _expression(parsed, spot, target.base, target.steps, tail)
        spelling = parsed.speller.spell(fix.call, parsed.hidden(spot))
        call = spelling.call.replace("{weight}", tensor)
        if not _stands(parsed, spot, place, headers, call):
            new.append(Insertion(place.line, place.indent, order, headers, call, tensor))
            needs_import |= spelling.needs_import
    return new, needs_import


def _check_room(parsed: Parsed, spot: Spot) -> None:
    """The statement must have its lines to itself, in a place where calls may follow."""
    if isinstance(spot.scope, ast.ClassDef):
        raise RefusedError("it is made in the body of a class, not in a method")
    text, statement = parsed.text, spot.statement
    if text.before(statement).strip() or not _ends_line(parsed, statement):
        raise RefusedError("the statement that makes it shares its line with other code")


def _ends_line(parsed: Parsed, statement: ast.stmt) -> bool:
    after = parsed.text.after(statement).strip()
    return not after or after.startswith("#")


def _place(parsed: Parsed, spot: Spot, target: Target, found: Sequence[Tail]) -> _Place:
    """The end of the function for what lasts until there, else right after the statement."""
    facts = parsed.facts(spot)
    top = facts.index(spot.top)
    bound = facts.bound(top)
    changed = target.lasting and facts.changes(target.base, top)
    if changed and any(tail.derived for tail in found):
        raise RefusedError("a later statement changes where it is kept")
    last = facts.body[bound - 1]
    # What forward makes, it uses before its end.
    lasting = (
        target.lasting
        and not changed
        and all(tail.sure for tail in found)
        and spot.statement is spot.top
        and getattr(spot.scope, "name", "") != "forward"
        and not facts.may_leave(top, bound)
        and _ends_line(parsed, last)
    )
    indent = parsed.text.before(spot.statement).replace("\f", "")
    anchor = last if lasting else spot.statement
    return _Place(_line_after(parsed, anchor, indent), indent, lasting)


def _line_after(parsed: Parsed, statement: ast.stmt, indent: str) -> int:
    """A statement's last line, with the comments that close the block inside it."""
    lines = parsed.text.lines
    line = reached = statement.end_lineno or statement.lineno
    while reached < len(lines):
        content = lines[reached].strip()
        inner = len(lines[reached]) - len(lines[reached].lstrip()) > len(indent)
        if content and not (content.startswith("#") and inner):
            break
        reached += 1
        if content:
            line = reached
    return line


def _expression(
    parsed: Parsed, spot: Spot, base: str, steps: Sequence[Step], tail: Tail
) -> tuple[tuple[str, ...], str]:
    """The loops and tests around the call, and the tensor's name within them."""
    looped = any(isinstance(step, Each) for step in steps)
    taken = set(parsed.names(spot.scope)) if looped else set()
    headers: list[str] = []
    expression = base
    for index, step in enumerate(steps):
        match step:
            case Attribute(name):
                expression += f".{name}"
            case Item(key):
                expression += f"[{key}]"
            case Handed():
                expression += access(tail.inside)
            case Guard(test):
                headers.append(f"if {test.format(expression)}:")
            case Each(suffix):
                variable = _variable(spot, steps[index + 1 :], taken)
                headers.append(f"for {variable} in {expression}{suffix}:")
                expression = variable
    return tuple(headers), expression + access(tail.attributes)


def _variable(spot: Spot, inner: Sequence[Step], taken: set[str]) -> str:
    if all(isinstance(step, Guard) for step in inner):
        kind = "parameter" if last_name(spot.call.func) in PARAMETER else "layer"
    else:
        kind = "block"
    for name in _VARIABLES[kind]:
        if name not in taken:
            taken.add(name)
            return name
    raise RefusedError("all the names that a loop over its members could use are taken")


def _stands(parsed: Parsed, spot: Spot, place: _Place, headers: Sequence[str], call: str) -> bool:
    try:
        entry = entry_of(headers, call)
    except SyntaxError:
        raise RefusedError(f"its recommended call is no Python: {call}") from None
    if not entry:
        raise RefusedError(f"its recommended call is no call: {call}")
    return parsed.block(spot).stands(entry, spot.statement, place.lasting)
