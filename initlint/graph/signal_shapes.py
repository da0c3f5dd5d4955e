"""What shapes say of values of the signal: positions, shares and ratios of elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from initlint.graph.ops import Op
from initlint.graph.samples import Value

# The shape of the result of each operation, where it is known.
Shapes = Mapping[Op, tuple[int, ...]]
_POSITIONS = ("cat", "concat", "concatenate")


def sized(shapes: Shapes, op: Op, value: Value) -> Value:
    """The value with the positions that its shape tells, if that is known."""
    shape = shapes.get(op)
    if shape is None and op.role == "shape" and op.args.get("ones"):
        return replace(value, size=(1,) * op.args["ones"])
    if shape is None or len(shape) < 2:
        return value
    if len(shape) == 2:
        return replace(value, size=())
    width = value.width
    if width is None and op.role == "input":
        is_image = len(shape) >= 4 or (len(shape) == 3 and shape[1] < shape[2])
        return replace(value, size=shape[2:] if is_image else shape[1:-1])
    if width is None:
        return value
    count = math.prod(shape[1:]) / width
    if shape[1] == width and len(shape) > 2:
        return replace(value, size=shape[2:])
    if shape[-1] == width:
        return replace(value, size=shape[1:-1])
    return replace(value, size=(max(1, round(count)),)) if count >= 1 else value


def ratio(shapes: Shapes, op: Op) -> float:
    """The elements of an operation's result for each of its input's; 1 if not known."""
    ours, theirs = shapes.get(op), shapes.get(op.inputs[0])
    if ours is None or theirs is None or not math.prod(theirs):
        return 1.0
    return math.prod(ours) / math.prod(theirs)


def repeats(shapes: Shapes, op: Op, term: Op) -> tuple[float, float] | None:
    """How many examples, and positions of each, get a term of a sum that has no examples.

    None if they are not known, and for a term that has as many examples as the sum.
    """
    ours, theirs = shapes.get(op), shapes.get(term)
    if ours is None or theirs is None or not math.prod(theirs) or len(theirs) > len(ours):
        return None
    padded = (1,) * (len(ours) - len(theirs)) + theirs
    if padded[0] == ours[0]:
        return None
    return float(ours[0]), math.prod(ours[1:]) / math.prod(padded[1:])


def joins_positions(shapes: Shapes, op: Op, values: list[Value]) -> bool:
    """Whether a concatenation makes more positions of its values, not more units."""
    if op.bare_name not in _POSITIONS:
        return True
    dim = op.args.get("dim", 0)
    ours, theirs = shapes.get(op), shapes.get(op.inputs[0])
    if ours is not None and theirs is not None and len(ours) == len(theirs):
        width = values[0].width
        changed = [n for n, m in zip(ours, theirs, strict=True) if n != m]
        return (
            bool(changed)
            and width is not None
            and changed[0] != sum(value.width or 0 for value in values)
        )
    is_sequence = values[0].size is not None and len(values[0].size) == 1
    return dim == 1 and is_sequence and len({value.width for value in values}) == 1


def parts_positions(shapes: Shapes, op: Op, halves: Op, value: Value) -> bool:
    """Whether a part of a chunked value has fewer positions than the whole, not fewer units."""
    ours, theirs = (shapes.get(x) for x in (op, halves.inputs[0]))
    if ours is None or theirs is None or len(ours) != len(theirs):
        return False
    changed = [k for k, (n, m) in enumerate(zip(ours, theirs, strict=True)) if n != m]
    is_image = len(theirs) > 3 and theirs[1] == value.width
    return bool(changed) and changed[0] != (1 if is_image else len(theirs) - 1)


def share(shapes: Shapes, op: Op, halves: Op) -> float:
    """The share of a chunked value's elements that one of its parts has."""
    ours, theirs = (shapes.get(x) for x in (op, halves.inputs[0]))
    if ours is None or theirs is None or not math.prod(theirs):
        return 0.5
    return math.prod(ours) / math.prod(theirs)


def zoom(shapes: Shapes, op: Op, value: Value, scale: Any) -> float | None:
    """By how much an interpolation enlarges each dimension of positions."""
    if isinstance(scale, tuple):
        scale = scale[0]
    if isinstance(scale, (int, float)):
        return float(scale)
    more = ratio(shapes, op)
    rank = len(value.size) if value.size else 2
    return more ** (1 / rank) if more != 1.0 else None


def length(shapes: Shapes, op: Op, axis: int = -2) -> float | None:
    """How many positions a value has whose last dimensions are positions and width."""
    shape = shapes.get(op)
    return float(shape[axis]) if shape is not None and len(shape) > 2 else None
