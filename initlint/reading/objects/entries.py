"""Where data enters a model: its forward, or the other methods that code calls with data."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from initlint.reading.abstract.frames import ImpossibleError
from initlint.reading.abstract.holders import Bound, Function, Instance
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import PLAIN, Value
from initlint.reading.evaluate.calling import call
from initlint.reading.objects.classes import function_in, order_of
from initlint.reading.objects.instances import call_instance, forward_of
from initlint.reading.reader import Reader

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Annotations of arguments that carry no data.
_SETTINGS = ("int", "bool", "float", "str", "dtype", "device")
# Classes of torch's that cannot be called themselves.
_PASSIVE = ("Module", "ModuleList", "ModuleDict")


def entered(reader: Reader, instance: Instance, doors: Collection[str]) -> list[Value] | None:
    """What a model gives back for symbolic data; None for one that data cannot enter.

    Data enters by forward. Where there is none, or it only raises an error, it enters by `doors`,
    the methods that code calls with data.
    """
    forward = forward_of(reader, instance)
    try:
        if forward is not None or instance.torch not in _PASSIVE:
            return [call_instance(reader, instance, inputs_of(forward, reader), {})]
    except ImpossibleError:
        found = entered_by(reader, instance, doors)
        if not found:
            raise
        return found
    return entered_by(reader, instance, doors) or None


def entered_by(reader: Reader, instance: Instance, doors: Collection[str]) -> list[Value]:
    """What these methods of a model give back for symbolic data, or all that may get data."""
    results = []
    outer = (reader.constructing, reader.arms, reader.still)
    for function in _methods(reader, instance, doors):
        reader.constructing, reader.arms, reader.still = instance, instance.arms, True
        reader.drawing += 1
        bound = Bound(function, instance)
        try:
            results.append(call(reader, bound, inputs_of(bound, reader), {}))
        except ImpossibleError:
            continue
        finally:
            reader.drawing -= 1
            reader.constructing, reader.arms, reader.still = outer
    return results


def _methods(reader: Reader, instance: Instance, doors: Collection[str]) -> Iterator[Function]:
    """The methods of these names, or the public ones that no other method of the class calls."""
    if instance.cls is None:
        return
    order = order_of(reader, instance.cls)
    reader.budget.elements(len(order))
    found: dict[str, tuple[UserClass, ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    for cls in reversed(order):
        if isinstance(cls, UserClass):
            for name, node in cls.members.items():
                if isinstance(node, _FUNCTIONS) and not node.decorator_list:
                    found[name] = (cls, node)
    called = {
        inner.func.attr
        for _, node in found.values()
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)
    }
    for name, (cls, node) in found.items():
        is_asked = name in doors if doors else not name.startswith("_") and name not in called
        if is_asked and name != "forward" and _takes_data(node):
            yield function_in(cls, node)


def _takes_data(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method has an argument beside the model itself that must be given."""
    spec = node.args
    return len(spec.posonlyargs) + len(spec.args) - len(spec.defaults) > 1


def inputs_of(forward: Value, reader: Reader) -> list[Value]:
    """Symbolic data for every required argument of a forward; where there is none, for the first.

    A first argument that is None unless it is given is data all the same: without any, most such
    forwards raise an error.
    """
    function = forward.function if isinstance(forward, Bound) else forward
    node = function.node if isinstance(function, Function) else None
    if not isinstance(node, _FUNCTIONS):
        return [reader.node("input")]
    places = [*node.args.posonlyargs, *node.args.args][isinstance(forward, Bound) :]
    needed = len(places) - len(node.args.defaults)
    if needed <= 0 and places and _is_none(node.args.defaults[-len(places)]):
        needed = 1
    return [_input(place, reader) for place in places[: max(0, needed)]]


def _is_none(default: ast.expr) -> bool:
    return isinstance(default, ast.Constant) and default.value is None


def _input(place: ast.arg, reader: Reader) -> Value:
    note = place.annotation
    name = note.id if isinstance(note, ast.Name) else getattr(note, "attr", "")
    return PLAIN if name in _SETTINGS else reader.node("input")
