"""Dataclasses and their kin (NamedTuple, attrs, pydantic): constructors generated from fields."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import UNKNOWN, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.compiled import evaluate
from initlint.reading.objects.classes import lookup, method_of, order_of, outside_of
from initlint.reading.reader import Reader

# Decorators, and base classes, that generate a constructor from the annotated fields of a class.
_DECORATORS = ("dataclass", "define", "attrs")
_BASES = ("NamedTuple", "BaseModel")
_FIELDS = ("field", "Field", "ib", "attrib")


def generated(reader: Reader, cls: UserClass, after: UserClass | None = None) -> UserClass | None:
    """The class whose generated constructor runs; None if a written one comes before it.

    With `after`, that which super() sees.
    """
    order = order_of(reader, cls)
    start = order.index(after) + 1 if after is not None and after in order else 0
    for base in order[start:]:
        if isinstance(base, UserClass) and "__init__" in base.members:
            return None
        if isinstance(base, UserClass) and _has_fields(reader, base):
            return base
    return None


def _has_fields(reader: Reader, cls: UserClass) -> bool:
    for decorator in cls.node.decorator_list:
        node = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        if name in _DECORATORS:
            return True
    return any(base.name.rpartition(".")[2] in _BASES for base in outside_of(reader, cls))


def fill_fields(
    reader: Reader,
    instance: Instance,
    cls: UserClass,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> None:
    """Run the constructor that was generated for a class, on an object of it or of a subclass."""
    names: dict[str, tuple[UserClass, ast.AST | None]] = {}
    for base in reversed(order_of(reader, cls)):
        if isinstance(base, UserClass):
            for statement in base.node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    names[statement.target.id] = (base, statement.value)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for name, (base, default) in names.items():
        if name in given:
            instance.attrs[name] = given[name]
        elif default is not None:
            frame = Frame(base.module, base.closure)
            instance.attrs[name] = _default_of(reader, default, frame)
        else:
            instance.attrs[name] = UNKNOWN
    after = lookup(reader, instance.cls, "__post_init__")
    if after is not None:
        call(reader, method_of(reader, *after), [instance], {})


def _default_of(reader: Reader, node: ast.AST, frame: Frame) -> Value:
    if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name in _FIELDS:
            for keyword in node.keywords:
                value = evaluate(reader, keyword.value, frame)
                if keyword.arg == "default":
                    return value
                if keyword.arg in ("default_factory", "factory"):
                    return call(reader, value, [], {})
            return UNKNOWN
    return evaluate(reader, node, frame)
