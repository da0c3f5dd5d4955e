"""Abstract lists: ranges, pairs, repeated and concatenated lists."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from initlint.reading.abstract.holders import Choice, Listing, elements, listed
from initlint.reading.abstract.parts import choice
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Held,
    Plain,
    Slot,
    Tensor,
    Unknown,
    Value,
    bounded,
    is_of_library,
)

# Longer ranges say no more than this one does.
_LONGEST = 1000


def ranged(args: Sequence[Value]) -> Value:
    """The value of range(); if its end is not known, a first number and one for all others."""
    if all(type(value) is int for value in args) and args:
        numbers = range(*args) if len(args) < 3 or args[2] else range(0)
        # len() fails for a range longer than sys.maxsize; a slice of it does not.
        return Listing(list(map(bounded, numbers[:_LONGEST])), bool(numbers[_LONGEST:]))
    first = args[0] if len(args) > 1 else 0
    return Listing([first if type(first) is int else PLAIN, PLAIN], True)


def numbered(value: Value, start: Value) -> Value:
    """The value of enumerate()."""
    found = elements(value)
    if found is None:
        return _open([(PLAIN, element_of(value))]) if element_of(value) is not UNKNOWN else UNKNOWN
    known = type(start) is int
    pairs = [((start + place) if known else PLAIN, item) for place, item in enumerate(found)]
    return Listing(list(pairs), is_open(value), value.whole if isinstance(value, Listing) else None)


def zipped(values: Sequence[Value]) -> Value:
    """The value of zip(), up to the length of the shortest list of known length."""
    columns = [elements(value) for value in values]
    sure = [
        len(c) for c, v in zip(columns, values, strict=True) if c is not None and not is_open(v)
    ]
    known = [len(c) for c in columns if c is not None]
    if not known:
        return UNKNOWN
    length = min(sure) if sure else min(known)
    rows = []
    for place in range(length):
        row = [
            column[place] if column is not None and place < len(column) else element_of(value)
            for column, value in zip(columns, values, strict=True)
        ]
        rows.append(tuple(row))
    return Listing(list(rows), not sure)


def chained(values: Sequence[Value]) -> Value:
    """The concatenation of several lists."""
    if len(values) == 1 and isinstance(values[0], Listing):
        values = values[0].items
    found = [elements(value) for value in values]
    if any(column is None for column in found):
        return UNKNOWN
    items = (item for column in found if column is not None for item in column)
    return listed(items, any(map(is_open, values)))


def counted(value: Value, count: Value) -> Listing:
    """A value `count` times over."""
    if type(count) is int and count <= _LONGEST:
        return Listing([value] * count)
    return Listing([value] * 2, True)


def element_of(value: Value) -> Value:
    """A value that may be any element, for a value whose elements are not all known."""
    if isinstance(value, Listing) and value.items:
        return value.items[-1]
    if isinstance(value, (Slot, Held)):
        return Held(value.slot if isinstance(value, Held) else value, None, part=True)
    if isinstance(value, Choice):
        # One list or another, such as two lengths of one stack of layers.
        every = [item for option in value.options for item in elements(option) or ()]
        return choice(every) if every else UNKNOWN
    is_kept = isinstance(value, (Plain, Tensor, Unknown)) or is_of_library(value)
    return value if is_kept else UNKNOWN


def is_open(value: Value) -> bool:
    """Whether a value is a list that may have more elements than are known."""
    return isinstance(value, Listing) and value.open


def _open(items: list[Value]) -> Listing:
    return Listing(items, True)


def combined(kind: type[ast.operator], left: Value, right: Value) -> Value:
    """Lists and tuples joined, or repeated."""
    if (
        kind is ast.Add
        and isinstance(left, (Listing, tuple))
        and isinstance(right, (Listing, tuple))
    ):
        if isinstance(left, tuple) and isinstance(right, tuple):
            return tuple_of(left + right)
        items = [*(elements(left) or []), *(elements(right) or [])]
        return listed(items, any(isinstance(v, Listing) and v.open for v in (left, right)))
    if kind is ast.Mult:
        sequence, count = (left, right) if isinstance(left, (Listing, tuple)) else (right, left)
        return _repeated(sequence, count)
    return UNKNOWN if kind is not ast.Add else _extended(left, right)


def tuple_of(items: tuple[Value, ...]) -> Value:
    """A tuple; a list with more elements than are known where it is too long."""
    return bounded(items) if bounded(items) is not UNKNOWN else listed(items)


def _repeated(sequence: Value, count: Value) -> Value:
    items = elements(sequence) or []
    if type(count) is int and len(items) * count <= _LONGEST:
        many = items * count
        return tuple(many) if isinstance(sequence, tuple) else Listing(many, sequence.open)
    return listed(items * 2, True)


def _extended(left: Value, right: Value) -> Value:
    known = left if isinstance(left, (Listing, tuple)) else right
    return Listing(elements(known) or [], True)
