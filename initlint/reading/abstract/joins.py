"""Joins: the value of a name that holds one or the other of two."""

from __future__ import annotations

from functools import partial
from itertools import starmap

from initlint.graph.ops import Op
from initlint.reading.abstract.holders import Instance, Listing, Table
from initlint.reading.abstract.parts import (
    MOST_MADE,
    choice,
    is_small,
    key_of,
    may_hold,
    options_of,
    unsure,
)
from initlint.reading.abstract.values import PLAIN, UNKNOWN, Tensor, Unknown, Value
from initlint.reading.reader import Reader


def joined(reader: Reader, one: Value, other: Value) -> Value:
    """The value of a name that holds one or the other of two."""
    if one is other:
        return one
    if type(one) is Tensor or type(other) is Tensor:
        return _joined_tensors(reader, one, other)
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        if not (is_small(one) and is_small(other)):
            return UNKNOWN
        return tuple(joined(reader, a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (Listing, Table)) and type(one) is type(other):
        return _joined_holders(reader, one, other)
    if key_of(one) == key_of(other):
        return one
    if _is_number(one) and _is_number(other):
        return PLAIN
    if reader.outside and UNKNOWN in (one, other):
        # A model that is made here, or one that comes from elsewhere, such as a file.
        known = other if one is UNKNOWN else one
        if all(isinstance(o, Instance) and o in reader.life.of for o in options_of(known)):
            return known
    return choice([one, other], MOST_MADE if reader.outside else 0)


def _joined_holders(reader: Reader, one: Listing | Table, other: Listing | Table) -> Value:
    """The longer of two lists or tables; where the shorter holds other weights, both."""
    long, short = (one, other) if len(one.items) >= len(other.items) else (other, one)
    kept = {id(value) for value in long.parts()}
    lost = [value for value in short.parts() if id(value) not in kept and may_hold(value)]
    if not lost and (short.items or not long.items):
        return long
    if not lost:
        return _perhaps(long)
    if not (is_small(long) and is_small(short)):
        return unsure([long, short])
    if isinstance(long, Listing) and isinstance(short, Listing):
        pairs = zip(long.items, short.items, strict=False)
        items = [*starmap(partial(joined, reader), pairs), *long.items[len(short.items) :]]
        return Listing(items, long.open or short.open)
    both = {**short.items, **long.items}  # type: ignore[dict-item]
    for key in short.items:
        if key in long.items:
            both[key] = joined(reader, long.items[key], short.items[key])
    return Table(both, long.open or short.open)


def _perhaps(value: Listing | Table) -> Value:
    """A list or table that may also be empty."""
    if isinstance(value, Listing):
        return Listing([*value.items], value.open, value.whole, perhaps=True)
    return Table(dict(value.items), value.open, perhaps=True)


def _joined_tensors(reader: Reader, one: Value, other: Value) -> Value:
    if type(one) is not Tensor:
        one, other = other, one
    if type(other) is Tensor:
        return Tensor(_merged(reader, one.node, other.node))
    if isinstance(other, Unknown):
        return reader.unclear([one.node])
    if isinstance(other, tuple) and other and type(other[0]) is Tensor:
        return joined(reader, one, other[0])
    return one


def _merged(reader: Reader, one: Op, other: Op) -> Op:
    """The node of a value that is one or the other of two."""
    if one is other or _passes(one, other):
        return one
    if _passes(other, one):
        return other
    return reader.node("choice", [one, other]).node


def _passes(late: Op, early: Op) -> bool:
    """Whether a node is another one's value, moved or masked."""
    for _ in range(3):
        if late is early:
            return True
        moved = late.role in ("shape", "dropout") or late.name == "carried"
        if not moved or len(late.inputs) != 1:
            return False
        late = late.inputs[0]
    return late is early


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
