"""Reset methods that draw some children of a module again, and forget others."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.submodules import children, modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Slot
from initlint.reading.objects.torch_modules import reset_of
from initlint.records import Test

_RESET = "reset_parameters"
# Attributes by which a method reaches all children at once.
_ALL = {
    *("modules", "named_modules", "children", "named_children", "parameters", "named_parameters"),
    *("apply", "_modules", "__dict__", "state_dict"),
}
# How many methods of the same object are followed, one calling the next.
_DEEPEST = 3


def forgotten(cls: UserClass, instance: Instance) -> Iterator[Test]:
    """A record of the children with weights that a class's own reset method names nowhere."""
    method = cls.members.get(_RESET)
    if not isinstance(method, ast.FunctionDef) or not method.args.args:
        return
    named = _named_in(cls, method, 0)
    reset = _reset_in(method)
    if named is None or not reset & {name for name, _ in children(instance)}:
        return
    held = children(instance)
    left = [name for name, child in held if name not in named and _is_resettable(child)]
    if left:
        site = cls.module.source.site(method)
        known = tuple(sorted(reset))
        yield Test(cls.name, " and ".join(left), "reset", "module", site, known, within=_RESET)


def _named_in(cls: UserClass, method: ast.FunctionDef, depth: int) -> set[str] | None:
    """The attributes of its object that a method reads; None if it may reach all of them."""
    own = method.args.args[0].arg if method.args.args else ""
    owners = {n.value for n in ast.walk(method) if isinstance(n, ast.Attribute)}
    named: set[str] = set()
    for node in ast.walk(method):
        if isinstance(node, ast.Name) and node.id in (own, "super") and node not in owners:
            # The object as a whole is handed on, or its base's method is called.
            return None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id != own:
                continue
            if node.attr in _ALL:
                return None
            named.add(node.attr)
            inner = cls.members.get(node.attr)
            if isinstance(inner, ast.FunctionDef) and inner is not method:
                further = _named_in(cls, inner, depth + 1) if depth < _DEEPEST else None
                if further is None:
                    return None
                named |= further
    return named


def _reset_in(method: ast.FunctionDef) -> set[str]:
    """The children that a method resets by their own reset methods, alone or in a loop."""
    own = method.args.args[0].arg
    found: set[str] = set()
    loops = {
        node.target.id: node.iter
        for node in ast.walk(method)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
    }
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == _RESET:
            owner = getattr(node.func, "value", None)
            while isinstance(owner, ast.Name) and owner.id in loops:
                owner = loops.pop(owner.id)
            if isinstance(owner, ast.Subscript):
                owner = owner.value
            if isinstance(owner, ast.Attribute) and getattr(owner.value, "id", "") == own:
                found.add(owner.attr)
    return found


def _is_resettable(child: Instance) -> bool:
    """Whether a module has weights to train that a reset method would draw again."""
    return any(
        isinstance(value, Slot) and value.trainable is True and value.draw.by != "load"
        for _, module in modules_of(child)
        if (module.cls is None and reset_of(module.torch))
        or (module.cls is not None and _RESET in module.cls.members)
        for value in module.attrs.values()
    )
