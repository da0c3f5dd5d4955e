"""Walks over nested values: what lies in them, what tells them apart, their size, their copies.

All are folds of `Kind.parts` and `Kind.rebuilt`, so that a new kind of value needs no edit here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from initlint.reading.abstract.holders import (
    Bound,
    Choice,
    Function,
    Instance,
    Listing,
    Method,
    Optimiser,
    Partial,
    Super,
    Table,
    update,
)
from initlint.reading.abstract.values import (
    BARE,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Kind,
    Named,
    Plain,
    Slot,
    Sym,
    Unknown,
    Value,
)


def parts_of(value: Value) -> Sequence[Value]:
    """The values that lie directly within a value, whatever kind of value it is."""
    if isinstance(value, Kind):
        return value.parts()
    return value if type(value) is tuple else ()


def rebuilt(value: Value, parts: Sequence[Value]) -> Value:
    """A value with others in the place of its parts."""
    if isinstance(value, Kind):
        return value.rebuilt(parts)
    return tuple(parts) if type(value) is tuple else value


# Kinds whose values are alike when their parts are. All others are what they are: objects.
_CONTENT = {tuple, Listing, Table, Choice, Partial, Bound, Method, Super, Optimiser}
# Kinds that the code that is read can change, so that one may lie in itself.
_MUTABLE = {Listing, Table, Instance}


def contents_of(value: Value) -> Collection[Value]:
    """The parts of a value that is no object: of a list its elements, of a module nothing."""
    kind = type(value)
    if kind is tuple:
        return value  # type: ignore[no-any-return]
    if kind is Listing:
        return value.items  # type: ignore[no-any-return]
    if kind is Table:
        return value.items.values()  # type: ignore[no-any-return]
    return value.parts() if kind in _CONTENT else ()


def is_small(value: Value, most: int = 1000) -> bool:
    """Whether no more than `most` values lie within one, none of them deeply.

    A value counts as often as it is reached, so that whoever calls itself for the parts of a small
    one comes to an end soon: `t = (t, t)` thirty times over is a billion parts.
    """
    return type(value) not in _CONTENT or count_parts(value, most) <= most


def count_parts(value: Value, most: int) -> int:
    """How many values lie within one, each as often as it is reached; more than `most` if deeply.

    Counting ends where there are more than `most`.
    """
    count = 0
    waiting: list[tuple[Value, int]] = [(value, 0)]
    while waiting:
        holder, depth = waiting.pop()
        found = contents_of(holder)
        count += len(found)
        if count > most or depth > _DEEPEST:
            return most + 1
        waiting += [(part, depth + 1) for part in found if type(part) in _CONTENT]
    return count


_DEEPEST = 50


def leaves(value: Value, kinds: Collection[type] = (tuple, Listing, Table)) -> Iterator[Value]:
    """The values within one, through holders of these kinds, in order.

    A holder is gone through once, however often it is reached.
    """
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if type(part) not in kinds:
            yield part
        elif id(part) not in seen:
            seen.add(id(part))
            waiting += reversed(parts_of(part))


def reached(values: Iterable[Value]) -> Iterator[Value]:
    """These values and all that code which is handed them can reach, each holder once, in order."""
    waiting, seen = [*values][::-1], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        waiting += [part for part in reversed(parts_of(value)) if type(part) not in BARE]


def key_of(value: Value) -> Any:
    """Something hashable that is equal for values that are the same to every reader.

    Large values are equal to none.
    """
    kind = type(value)
    if kind in _SIMPLE:
        return (kind, value)
    return _key(value) if is_small(value) else (kind, object())


def _key(value: Value) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return (kind, value)
    if kind is tuple:
        return (kind, tuple(map(_key, value)))
    if kind in _CONTENT:
        return (kind, value.mark(), tuple(map(_key, value.parts())))
    if kind is Function and value.closure is None:
        return (kind, value.node)
    return (kind, _Itself(value))


class _Itself:
    """The key of one object. It holds the object, so that no later one gets the same `id`."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Itself and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


_SIMPLE = {int, float, str, bool, bytes, type(None), Named, Sym, External, Plain}


def mapped(
    value: Value,
    change: Callable[[Value], Value],
    through: Callable[[Value], bool],
    known: dict[int, Value],
) -> Value:
    """A value with `change` made to all that lies in it, through those that `through` holds of.

    Numbers and texts stay what they are. `known` are the values that were met so far, by their ids,
    and what they became.
    """
    if id(value) in known:
        return known[id(value)]
    if not through(value):
        known[id(value)] = made = change(value)
        return made
    parts = parts_of(value)
    if type(value) in _MUTABLE:
        # Known before its parts are: it may lie in itself.
        known[id(value)] = made = value.rebuilt(parts)
    inner = [part if type(part) in BARE else mapped(part, change, through, known) for part in parts]
    if type(value) in _MUTABLE:
        made.refill(inner)
    else:
        known[id(value)] = made = rebuilt(value, inner)
    return made


def is_content(value: Value) -> bool:
    """Whether a value is a list, tuple, table, … and no object."""
    return type(value) in _CONTENT


def options_of(value: Value) -> tuple[Value, ...]:
    """The values that a value may be, as far as they are known."""
    return value.options if type(value) is Choice else (value,)


def choice(values: list[Value], most: int = 0) -> Value:
    """One of `values`: the value itself where they are the same, unknown where they are many.

    `most` says how many may be told apart, where that is not the usual number.
    """
    flat = [option for value in values for option in options_of(value)]
    distinct = list({key_of(option): option for option in flat}.values())
    if len(distinct) == 1:
        return distinct[0]
    if len(distinct) > (most or _MOST_OPTIONS) and all(map(_is_made_or_maker, distinct)):
        most = MOST_MADE
    if any(type(o) is Unknown for o in distinct) or len(distinct) > (most or _MOST_OPTIONS):
        return unsure(distinct)
    return Choice(tuple(distinct))


_MOST_OPTIONS = 6
# A script may choose one of many models or agents by its name.
MOST_MADE = 128


def _is_made_or_maker(value: Value) -> bool:
    """Whether a value is a class, an object of a plain class, or a method of one."""
    owner = value.receiver if isinstance(value, Bound) else value
    is_object = isinstance(owner, Instance) and not owner.torch
    return is_object or (isinstance(owner, Kind) and hasattr(owner, "made"))


def unsure(values: Iterable[Value]) -> Unknown:
    """A value of which nothing is known, but that it may be any of these, or hold it."""
    held = tuple([value for value in values if may_hold(value) and not _holds_nothing(value)])
    return Unknown(held[:_MOST_HELD]) if held else UNKNOWN


_MOST_HELD = 1000


def take_in(table: Table, other: Value) -> None:
    """Add what another table holds to a table: `state.update(pretrained)`.

    Where it is not known what that is, it may be other values for any parameter.
    """
    if isinstance(other, Table):
        update(table, other)
    if not isinstance(other, Table) or other.open:
        table.open = True
        for key, value in table.items.items():
            if isinstance(value, (Slot, Held)):
                table.items[key] = unsure([value])


def _holds_nothing(value: Value) -> bool:
    """Whether a value is unknown, or a short tuple of numbers, texts and unknown values."""
    if type(value) is tuple and len(value) < _SHORT:
        return all(type(part) in _SIMPLE or part is UNKNOWN for part in value)
    return value is UNKNOWN


_SHORT = 9


def may_hold(value: Value) -> bool:
    """Whether parameters may lie in a value."""
    return type(value) in _CARRYING or bool(contents_of(value))


_CARRYING = {Slot, Held, Kept, Fresh, Instance, Function, Method, Unknown}
