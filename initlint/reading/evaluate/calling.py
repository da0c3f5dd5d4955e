"""Calls of any value: by its kind, once bound methods and partial functions are undone."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from initlint.reading.abstract.holders import Bound, Function, Instance, Partial
from initlint.reading.abstract.values import Fresh, Value
from initlint.reading.reader import Reader


class Door:
    """Stands for a method of a model that code hands data to, which is not followed."""


DOOR = Door()


def call(
    reader: Reader,
    function: Value,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None = None,
) -> Value:
    """The result of a call."""
    if type(function) is Bound or type(function) is Partial:
        function, args, kwargs = unwrapped(reader, function, args, kwargs)
    return reader.callers[type(function)](reader, function, args, kwargs, node)


def unwrapped(
    reader: Reader, function: Value, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> tuple[Value, Sequence[Value], Mapping[str, Value]]:
    """The function that a bound method or a partial function calls, and with what."""
    while True:
        if type(function) is Bound:
            if reader.outside and _is_door(reader, function, args, kwargs):
                return DOOR, args, kwargs
            args, function = [function.receiver, *args], function.function
        elif type(function) is Partial:
            args, kwargs = [*function.args, *args], {**function.kwargs, **kwargs}
            function = function.function
        else:
            return function, args, kwargs


def _is_door(
    reader: Reader, function: Bound, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> bool:
    """Whether the code hands data to a method of a model, which is noted."""
    is_model = isinstance(function.receiver, Instance) and function.receiver in reader.life.of
    if not is_model or not isinstance(function.function, Function):
        return False
    values = [*args, *kwargs.values()]
    if not reader.nodes_in(values) and not any(type(value) is Fresh for value in values):
        return False
    reader.life.opened(function.receiver, getattr(function.function.node, "name", "forward"))
    return True
