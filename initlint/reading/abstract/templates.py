"""A call's values: what makes two calls alike, and how tensors go from one graph into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initlint.graph.ops import Graph, Op
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.operands import flat_tensors
from initlint.reading.abstract.parts import (
    contents_of,
    is_content,
    key_of,
    mapped,
    parts_of,
    rebuilt,
)
from initlint.reading.abstract.values import Kind, Tensor, Value


def pattern_of(value: Value) -> Any:
    """What calls have in common that draw the same graph: tensors are all alike."""
    kind = type(value)
    if kind is Tensor:
        return Tensor
    if not is_content(value):
        return key_of(value)
    mark = value.mark() if isinstance(value, Kind) else None
    return (kind, mark, tuple(map(pattern_of, contents_of(value))))


def tensors_in(value: Value) -> list[Tensor]:
    """The tensors in a value, in the order in which `placed` meets them."""
    if type(value) is Tensor:
        return [value]
    return [tensor for part in contents_of(value) for tensor in tensors_in(part)]


def placed(value: Value, graph: Graph, inputs: list[Op]) -> Value:
    """A value whose tensors are inputs of a new graph, one for each time that one is met."""
    if type(value) is Tensor:
        node = graph.add(Op("input"))
        inputs.append(node)
        return Tensor(node)
    if not contents_of(value):
        return value
    return rebuilt(value, [placed(part, graph, inputs) for part in parts_of(value)])


def moved(value: Value, copies: Mapping[Op, Op]) -> Value:
    """A value that a graph gave, in terms of the graph into which it was copied."""
    if type(value) is Tensor:
        return Tensor(copies.get(value.node, value.node))

    def change(part: Value) -> Value:
        return Tensor(copies.get(part.node, part.node)) if type(part) is Tensor else part

    def through(part: Value) -> bool:
        is_data = isinstance(part, Instance) and not part.torch
        return is_content(part) or (is_data and bool(flat_tensors(part)))

    return mapped(value, change, through, {})
