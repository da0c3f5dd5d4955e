"""The call that a fix writes for one layer, for those who only want to read it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from initlint.fix.correct import corrected, parting, renaming
from initlint.fix.edits import Loop
from initlint.fix.insert import expression, filling_of, of_parts
from initlint.fix.members import Attribute, Each, Handed, Item, Step
from initlint.fix.names import Naming, Tail, Target, tails
from initlint.fix.parsed import Parsed, parse
from initlint.fix.spot import Spot, as_made_in_method
from initlint.fix.text import RefusedError
from initlint.recommend import calls
from initlint.records import Finding, Fix, Initializer
from initlint.safe.shown import access, literal, reach


def call(source: bytes, finding: Finding, initializer: Initializer) -> str:
    """The call for the finding's first layer, by its name where the layer is made.

    If the fix writes a loop over several layers, this is the call for the finding's layer, if its
    index is known. Without a fix, or if it would be refused, the names are those of the model.
    """
    fix, written = finding.fix, ""
    with suppress(RefusedError, RecursionError):
        if fix and fix.kind == "correct" and fix.parts:
            return _parted(_parsed(source), fix, finding.recommended is None)
        if fix and fix.kind == "correct":
            written = corrected(_parsed(source), fix)[0]
        elif fix and fix.kind == "rename":
            return _renamed(_parsed(source), fix)
        elif fix:
            written = _inserted(_parsed(source), finding, fix)
    if not written and fix and fix.otherwise and fix.otherwise.site.path == fix.site.path:
        return call(source, replace(finding, fix=fix.otherwise), initializer)
    if fix and fix.parts and finding.recommended is None:
        return finding.help
    if fix and fix.kind == "rename":
        return f"nn.init.{initializer.name}"
    return written or _by_model(source, finding, initializer)


def _parted(parsed: Parsed, fix: Fix, kept: bool) -> str:
    """The loop over the matrices of one parameter, on one line."""
    change = parting(parsed, fix, kept)[0]
    head = change.loop.text() if change.loop is not None else ""
    return f"{head} {ast.unparse(ast.parse(change.text, mode='eval'))}"


def _renamed(parsed: Parsed, fix: Fix) -> str:
    """The present call under its new name, on one line."""
    written = renaming(parsed, fix)[0].text
    return written if "\n" not in written else ast.unparse(ast.parse(written, mode="eval"))


def _by_model(source: bytes, finding: Finding, initializer: Initializer) -> str:
    """The call by the model's names: from its instance, if a method makes the layer.

    For several members of one container it is a loop over them.
    """
    base, told = "self", ""
    with suppress(RefusedError, RecursionError):
        spot = _parsed(source).spot(finding.site) if finding.site else None
        if spot and not spot.self_name:
            base, told = _variable(_parsed(source), spot, finding.model)
        elif spot and spot.self_name:
            base = spot.self_name
    members = _members(finding.parameters)
    if members is None:
        return calls.call(initializer, access(base, finding.parameter)) + told
    before, numbers, after = members
    # A base that is no name of the model's parts ends in the loop's index.
    holder = reach(base, before)
    listed = ", ".join(map(str, numbers))
    return f"for i in ({listed}): {calls.call(initializer, reach(f'{holder}[i]', after))}{told}"


def _variable(parsed: Parsed, spot: Spot, model: str) -> tuple[str, str]:
    """The model's name if the file binds a variable of it, else `model` and a comment on it.

    The comment says what makes it: the class or function of the model, or the function around.
    """
    name = model.rpartition(":")[2]
    nodes = list(ast.walk(parsed.tree))
    if any(isinstance(n, ast.Name) and _stores(n) and n.id == name for n in nodes):
        return name, ""
    made = {n.name for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    around = spot.scope.name if isinstance(spot.scope, ast.FunctionDef) else ""
    maker = name if name in made else around
    return "model", f"  # model = {maker}(...)" if maker else ""


def _stores(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _members(names: Sequence[str]) -> tuple[list[str], list[int], list[str]] | None:
    """Names that differ in one number: the parts before it, the numbers, the parts after it."""
    parts = [name.split(".") for name in names]
    if not 2 <= len(parts) <= _MOST_LISTED or len({len(each) for each in parts}) > 1:
        return None
    differing = [k for k, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    if len(differing) != 1 or not all(each[differing[0]].isdecimal() for each in parts):
        return None
    place = differing[0]
    return parts[0][:place], [int(each[place]) for each in parts], parts[0][place + 1 :]


# A loop over more members is not shown.
_MOST_LISTED = 8


_parsed = lru_cache(maxsize=8)(parse)


def _inserted(parsed: Parsed, finding: Finding, fix: Fix) -> str:
    spot = parsed.spot(fix.site)
    if isinstance(spot.scope, ast.ClassDef):
        spot = parsed.kept(as_made_in_method(spot))
    target = Naming(spot, parsed.text, parsed.own_classes, parsed.names).target()
    tail = tails(spot.call, [finding.parameter], target.pattern)[0]
    reached = expression(parsed, spot, _at_index(target, tail, finding), tail)
    headers, owner, parameter = of_parts(parsed, spot, fix.parts, reached)
    filling = filling_of(parsed, spot, fix.initializer, owner, parameter)
    loops = [header.text() for header in headers if isinstance(header, Loop)]
    if len(loops) > 1:
        return ""
    return f"{loops[0]} {filling.text()}" if loops else filling.text()


def _at_index(target: Target, tail: Tail, finding: Finding) -> Target:
    """The target with the finding's own members in place of loops, where its name has them."""
    handed = any(isinstance(part, Handed) for part in target.pattern)
    if handed or not target.lasting or not tail.sure:
        return target
    name = finding.parameter.split(".")
    start = len(name) - len(tail.attributes) - len(target.pattern)
    parts = name[start + len(target.components) : len(name) - len(tail.attributes)]
    if start < 0:
        return target
    steps: list[Step] = []
    places = iter(parts)
    for step in target.steps:
        part = next(places) if _is_named(step) else ""
        key = part if part.isdecimal() and step != Each(".values()") else literal(part)
        steps.append(Item(key) if isinstance(step, Each) else step)
    return Target(target.base, target.components, target.lasting, tuple(steps))


def _is_named(step: Step) -> bool:
    return isinstance(step, Attribute | Item | Each)
