"""A call's values: what makes two calls alike, and how tensors go from one graph into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initlint.graph.ops import Graph, Op
from initlint.reading.state import flat_tensors
from initlint.reading.values import Instance, Listing, Table, Tensor, Value, key_of


def pattern_of(value: Value) -> Any:
    """What calls have in common that draw the same graph: tensors are all alike."""
    if type(value) is Tensor:
        return Tensor
    if isinstance(value, tuple):
        return tuple(map(pattern_of, value))
    if isinstance(value, Listing):
        return (Listing, tuple(map(pattern_of, value.items)))
    if isinstance(value, (Table, Mapping)):
        items = value.items if isinstance(value, Table) else value
        return (Table, tuple((name, pattern_of(item)) for name, item in items.items()))
    return key_of(value)


def tensors_in(value: Value) -> list[Tensor]:
    """The tensors in a value, in the order in which `placed` meets them."""
    if type(value) is Tensor:
        return [value]
    if isinstance(value, tuple):
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, Listing):
        return [tensor for item in value.items for tensor in tensors_in(item)]
    if isinstance(value, Table):
        return [tensor for item in value.items.values() for tensor in tensors_in(item)]
    return []


def placed(value: Value, graph: Graph, inputs: list[Op]) -> Value:
    """A value whose tensors are inputs of a new graph."""
    if type(value) is Tensor:
        node = graph.add(Op("input"))
        inputs.append(node)
        return Tensor(node)
    if isinstance(value, tuple):
        return tuple(placed(item, graph, inputs) for item in value)
    if isinstance(value, Listing):
        return Listing([placed(item, graph, inputs) for item in value.items], value.open)
    if isinstance(value, Table):
        items = {name: placed(item, graph, inputs) for name, item in value.items.items()}
        return Table(items, value.open)
    return value


def moved(value: Value, copies: Mapping[Op, Op], known: dict[int, Instance] | None = None) -> Value:
    """A value that a graph gave, in terms of the graph into which it was copied.

    `known` are the objects that were met so far, and their copies.
    """
    known = {} if known is None else known
    if type(value) is Tensor:
        return Tensor(copies.get(value.node, value.node))
    if isinstance(value, tuple):
        return tuple(moved(item, copies, known) for item in value)
    if isinstance(value, Listing):
        return Listing([moved(item, copies, known) for item in value.items], value.open)
    if isinstance(value, Table):
        items = {name: moved(item, copies, known) for name, item in value.items.items()}
        return Table(items, value.open)
    if isinstance(value, Instance) and not value.torch:
        return known.get(id(value)) or _moved_object(value, copies, known)
    return value


def _moved_object(value: Instance, copies: Mapping[Op, Op], known: dict[int, Instance]) -> Instance:
    if not flat_tensors(value):
        known[id(value)] = value
        return value
    known[id(value)] = copy = Instance(value.cls, "")
    copy.attrs = {name: moved(item, copies, known) for name, item in value.attrs.items()}
    return copy
