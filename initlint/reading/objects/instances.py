"""Calls of modules: the graph of a forward, drawn once and copied for each call."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from initlint.graph.ops import Graph, Op
from initlint.graph.patterns import name_patterns
from initlint.reading.abstract.holders import Bound, Instance
from initlint.reading.abstract.templates import moved, pattern_of, placed, tensors_in
from initlint.reading.abstract.values import UNKNOWN, Value
from initlint.reading.evaluate.calling import call, unwrapped
from initlint.reading.fills.initial import lost
from initlint.reading.fills.writes import redrawn
from initlint.reading.objects.classes import lookup, method_of
from initlint.reading.objects.modules import run_torch
from initlint.reading.reader import Reader

# Calls may be nested so deeply.
_DEEPEST = 60


def call_instance(
    reader: Reader,
    instance: Instance,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None = None,
) -> Value:
    """The result of calling a module: its own graph, copied into the present one."""
    reader.budget.steps()
    if reader.outside and instance in reader.life.of:
        reader.life.opened(instance, "forward")
        return reader.unclear(reader.nodes_in([*args, *kwargs.values()]))
    if not instance.torch:
        found = lookup(reader, instance.cls, "__call__") if instance.cls is not None else None
        return (
            call(reader, method_of(reader, *found), [instance, *args], kwargs) if found else UNKNOWN
        )
    forward = forward_of(reader, instance)
    if forward is None:
        return run_torch(reader, instance, args, kwargs)
    if reader.active.count(instance) > 1 or is_too_deep(reader):
        return lost(reader, args, kwargs)
    given = (*args, *kwargs.values())
    reader.weigh(given)
    key = (tuple(kwargs), *map(pattern_of, given))
    if key not in instance.templates:
        instance.templates[key] = _template(reader, instance, forward, args, kwargs)
    graph, inputs, result = instance.templates[key]
    reader.weigh([result])
    tensors = zip(inputs, tensors_in(given), strict=True)
    nodes = {old: value.node for old, value in tensors}
    owner = reader.constructing or instance
    copies = reader.graph.splice(graph, nodes, lambda use: redrawn(use, owner))
    return moved(result, copies)


def forward_of(reader: Reader, instance: Instance) -> Value | None:
    """A module's forward: the method of its class, or the function that replaced it."""
    own = instance.attrs.get("forward")
    if own is not None or instance.cls is None:
        return own
    found = lookup(reader, instance.cls, "forward")
    return None if found is None else Bound(method_of(reader, *found), instance)


def _template(
    reader: Reader,
    instance: Instance,
    forward: Value,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> tuple[Graph, list[Op], Value]:
    """A module's forward as a graph of its own, drawn once for all calls of the same kind."""
    outer, reader.graph = reader.graph, Graph(reader.budget)
    constructing, reader.constructing = reader.constructing, instance
    arms, reader.arms = reader.arms, instance.arms
    reader.active.append(instance)
    inputs: list[Op] = []
    reader.drawing += 1
    try:
        own: Sequence[Value] = [placed(value, reader.graph, inputs) for value in args]
        named: Mapping[str, Value] = {
            name: placed(v, reader.graph, inputs) for name, v in kwargs.items()
        }
        function, own, named = unwrapped(reader, forward, own, named)
        caller = reader.callers[type(function)]
        result = caller(reader, function, own, named, None)
        name_patterns(reader.graph)
        return reader.graph, inputs, result
    finally:
        reader.drawing -= 1
        reader.active.pop()
        reader.graph, reader.constructing, reader.arms = outer, constructing, arms


def is_too_deep(reader: Reader) -> bool:
    """Whether one call more would be nested too deeply, which is noted as a gap."""
    if len(reader.frames) <= _DEEPEST:
        return False
    reader.unfollowed = f"calls nested more than {_DEEPEST} deep were not followed"
    return True
