"""Which attribute decides what activation the instances of one class meet."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initlint.fix.edits import Test, is_instance
from initlint.fix.locate import Function, Spot, last_name
from initlint.fix.member import Item
from initlint.fix.parsed import Parsed
from initlint.fix.target import Target
from initlint.fix.text import RefusedError

_REFUSED = "its instances meet different activations, and no one attribute of the class says which"


@dataclass(frozen=True)
class Deciding:
    """The expression that holds the activation."""

    expression: str

    def test(self, classes: Sequence[str]) -> Test:
        """The test that it is one of some classes."""
        return is_instance(self.expression, classes)


def deciding(parsed: Parsed, spot: Spot, target: Target) -> Deciding:
    """The attribute that decides. Raises RefusedError if none does plainly."""
    owner, self_name = spot.owner, spot.self_name
    if owner is None or self_name is None:
        raise RefusedError(_REFUSED)
    neighbour = _next_member(spot, target)
    if neighbour is not None:
        return Deciding(neighbour)
    methods = {node.name: node for node in owner.body if isinstance(node, Function)}
    called = set(_called(methods.get("forward"), self_name))
    found = sorted(called & _varying(list(methods.values()), self_name, parsed.own_classes))
    if len(found) != 1:
        raise RefusedError(_REFUSED)
    return Deciding(f"{self_name}.{found[0]}")


def _next_member(spot: Spot, target: Target) -> str | None:
    """The member after the layer in a Sequential, if that is what varies."""
    match target.steps, spot.chain[-2]:
        case (Item(key),), ast.Call(args=arguments) if key.isdigit():
            for index, member in enumerate(arguments[int(key) + 1 :], int(key) + 1):
                if isinstance(member, ast.Starred):
                    return None
                if _varies(member, frozenset()):
                    return f"{target.base}[{index}]"
    return None


def _called(forward: ast.AST | None, self_name: str) -> Iterator[str]:
    """The attributes of the instance that forward calls."""
    for node in ast.walk(forward) if forward else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(owner), attr=name)):
                if owner == self_name:
                    yield name


def _varying(
    methods: Sequence[ast.FunctionDef | ast.AsyncFunctionDef],
    self_name: str,
    own: frozenset[str],
) -> set[str]:
    """The attributes that hold modules of different classes in different instances."""
    values: dict[str, list[ast.expr]] = {}
    for method in methods:
        for node in ast.walk(method):
            match node:
                case ast.Assign(targets=[ast.Attribute(ast.Name(owner), name)], value=value):
                    if owner == self_name:
                        values.setdefault(name, []).append(value)
    return {
        name
        for name, given in values.items()
        if any(_varies(value, own) for value in given) or _differ(given)
    }


def _differ(values: Sequence[ast.expr]) -> bool:
    return len({ast.unparse(v.func) if isinstance(v, ast.Call) else "" for v in values}) > 1


def _varies(value: ast.expr, own: frozenset[str]) -> bool:
    """Whether an expression may make modules of different classes."""
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.Name | ast.IfExp | ast.Subscript | ast.Attribute)
    name = last_name(value.func)
    return name not in own and not name[:1].isupper()
