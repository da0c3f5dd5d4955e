"""Models of which no layer is known, because their parts are only known when the code runs."""

from __future__ import annotations

import ast
from functools import lru_cache

from initlint.reading.abstract.holders import CONTAINERS, Instance
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Unknown
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


def _unknown_of(reader: Reader, module: Instance) -> set[str]:
    """The attributes of a module that it calls and has from a function that is not read."""
    unknown = {key for key, value in module.attrs.items() if isinstance(value, Unknown)}
    return unknown & _made(reader, module) if unknown else unknown


def _made(reader: Reader, module: Instance) -> set[str]:
    """The attributes that a module's class sets to what a call gives, and calls itself."""
    if not isinstance(module.cls, UserClass):
        return set()
    own = [cls for cls in order_of(reader, module.cls) if isinstance(cls, UserClass)]
    pairs = [_called_and_set(cls.node) for cls in own]
    called, found = (set[str]().union(*names) for names in zip(*pairs, strict=True))
    return called & found


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
