"""Parts whose class only running the code tells: models with such parts, and what fills them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache

from initlint.reading.abstract.holders import CONTAINERS, Bound, Function, Instance, Partial
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Unknown, Value, is_stranger
from initlint.reading.fills.filling import fills
from initlint.reading.objects.classes import order_of
from initlint.reading.reader import Reader


def unseen_part(reader: Reader, model: Instance) -> str:
    """The name of a part whose layers only running the code can tell; empty if there is none.

    That is a container which stayed empty (`nn.Sequential(*build(config))`), or what the class
    calls and has from a function that is not read (`self.body = build(config)`). What a module is
    given is judged where it is made.
    """
    for name, module in modules_of(model):
        unknown = _unknown_of(reader, module)
        for key, value in module.attrs.items():
            is_container = isinstance(value, Instance) and value.torch in CONTAINERS
            if key in unknown or (is_container and not value.attrs):
                return f"{name}.{key}" if name else key
    return ""


def has_unknown_part(reader: Reader, model: Instance) -> bool:
    """Whether a model calls what a function that is not read gave it: perhaps modules."""
    return any(_unknown_of(reader, module) for _, module in modules_of(model))


def note_walk(reader: Reader, model: Value, body: Sequence[ast.stmt], node: ast.AST | None) -> None:
    """Note a model that `body` goes through, if it fills parts of which nobody knows the class."""
    if not isinstance(model, Instance) or model.cls in reader.hosts or not fills(body):
        return
    for _, module in modules_of(model):
        unknown = {key for key, value in module.attrs.items() if is_stranger(value)}
        if unknown and not unknown.isdisjoint(_called_and_made(reader, module)[0]):
            reader.hosts[model.cls] = reader.site(node)
            return


def note_apply(reader: Reader, model: Instance, function: Value, node: ast.AST | None) -> None:
    """Note a model whose parts `apply` hands to a function, as `note_walk` does for a loop."""
    while isinstance(function, (Bound, Partial)):
        function = function.function
    if isinstance(function, Function):
        code = function.node
        body = [ast.Expr(code.body)] if isinstance(code, ast.Lambda) else code.body
        note_walk(reader, model, body, node)


def _unknown_of(reader: Reader, module: Instance) -> set[str]:
    """The attributes of a module that it calls and has from a function that is not read."""
    unknown = {key for key, value in module.attrs.items() if isinstance(value, Unknown)}
    called, made = _called_and_made(reader, module) if unknown else (set[str](), set[str]())
    return unknown & called & made


def _called_and_made(reader: Reader, module: Instance) -> tuple[set[str], set[str]]:
    """The attributes that a module's class calls, and those that it sets to what a call gives."""
    if not isinstance(module.cls, UserClass):
        return set(), set()
    own = [cls for cls in order_of(reader, module.cls) if isinstance(cls, UserClass)]
    pairs = [_called_and_set(cls.node) for cls in own]
    called, made = (set[str]().union(*names) for names in zip(*pairs, strict=True))
    return called, made


@lru_cache(maxsize=1024)
def _called_and_set(node: ast.ClassDef) -> tuple[frozenset[str], frozenset[str]]:
    """The attributes of `self` that the text of a class calls, and that it sets to a call."""
    nodes = list(ast.walk(node))
    called = {_own(each.func) for each in nodes if isinstance(each, ast.Call)}
    calls = [n for n in nodes if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    found = {_own(target) for each in calls for target in each.targets}
    return frozenset(called - {""}), frozenset(found)


def _own(node: ast.expr) -> str:
    """The name of an attribute of `self`; empty for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == "self" else ""
    return ""
