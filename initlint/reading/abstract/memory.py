"""Snapshots of mutable state (names, attributes, lists), to read both branches of a condition."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import CONTAINERS, Choice, Function, Instance, Listing, Table
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.values import (
    PLAIN,
    Held,
    Kind,
    Named,
    Plain,
    Slot,
    Sym,
    Tensor,
    Value,
)
from initlint.reading.budget import Budget

_Join = Callable[[Value, Value], Value]
_ABSENT: Any = object()


@dataclass(slots=True)
class Taken:
    """A snapshot of all state."""

    names: dict[str, Value]
    contents: dict[int, Any]


class Memory:
    """Saves the state that a frame can reach, to restore it and to join branches."""

    def __init__(self, frame: Frame, bodies: Sequence[Sequence[ast.stmt]], budget: Budget) -> None:
        self._budget = budget
        self._objects = list(_mutable(frame))
        if len(self._objects) > _MANY:
            self._objects = _within(bodies, frame, self._objects, budget)
        self._begin = self.taken(frame)

    def taken(self, frame: Frame) -> Taken:
        """The present state."""
        sizes = sum(map(_size, self._objects))
        self._budget.elements(len(frame.names) // 32 + sizes // 4 + len(self._objects))
        contents = {id(thing): _content(thing) for thing in self._objects}
        return Taken(dict(frame.names), contents)

    def restore(self, frame: Frame) -> None:
        """Restore the saved state."""
        self._put(frame, self._begin)

    def _put(self, frame: Frame, state: Taken) -> None:
        frame.names.clear()
        frame.names.update(state.names)
        for thing in self._objects:
            _fill(thing, state.contents[id(thing)])

    def merge(self, frame: Frame, states: list[Taken], join: _Join) -> None:
        """Set the state to the join of the states after several branches."""
        self._put(frame, states[0])
        for state in states[1:]:
            _join_dict(frame.names, state.names, join)
            for thing in self._objects:
                other = state.contents[id(thing)]
                if isinstance(thing, Listing):
                    _join_list(thing, other, join)
                elif isinstance(thing, Table):
                    thing.perhaps |= other[2] or bool(thing.items) != bool(other[0])
                    _join_items(thing.items, other[0], join)
                    thing.open = thing.open or other[1]
                elif thing.torch in _ORDERED:
                    _join_parts(thing.attrs, other, join)
                else:
                    _join_dict(thing.attrs, other, join)


def _size(thing: Any) -> int:
    return len(thing.attrs if isinstance(thing, Instance) else thing.items)


# With no more objects than these, all of them are remembered.
_MANY = 16


def _within(
    bodies: Sequence[Sequence[ast.stmt]], frame: Frame, objects: list[Any], budget: Budget
) -> list[Any]:
    """The objects that these statements may change: all of them if that is not clear.

    A function or a class that was defined in the same scope may reach all objects.
    """
    names: set[str] = set()
    for statement in (statement for body in bodies for statement in body):
        nodes = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
        budget.elements(len(nodes))
        names.update(nodes)
    values = []
    scope: Frame | None = frame
    while scope is not None:
        values += [scope.names[name] for name in names & scope.names.keys()]
        scope = scope.closure
    if any(map(_may_reach_all, values)):
        return objects
    reached = {id(value) for value in values}
    if isinstance(frame.receiver, Instance) and id(frame.receiver) in reached:
        reached |= {id(value) for value in frame.receiver.attrs.values()}
    return [thing for thing in objects if id(thing) in reached]


def _may_reach_all(value: Value) -> bool:
    if isinstance(value, Instance):
        return value.cls is not None and value.cls.closure is not None
    if isinstance(value, Function):
        return value.closure is not None
    return not isinstance(value, _SIMPLE)


_SIMPLE = (int, float, str, type(None), Listing, Table, Tensor, Slot, Held, Named, Sym, Plain)
_ORDERED = CONTAINERS


def _mutable(frame: Frame) -> Iterable[Any]:
    """Lists, tables and containers within reach, and the object whose method runs."""
    found: dict[int, Any] = {}
    values = list(frame.names.values())
    if isinstance(frame.receiver, Instance):
        found[id(frame.receiver)] = frame.receiver
        values += frame.receiver.attrs.values()
    scope = frame.closure
    while scope is not None:
        values += scope.names.values()
        scope = scope.closure
    for value in values:
        if (
            isinstance(value, (Listing, Table))
            or _is_container(value)
            or (isinstance(value, Instance) and not value.torch)
        ):
            found[id(value)] = value
    return found.values()


def _is_container(value: Value) -> bool:
    return isinstance(value, Instance) and value.torch in _ORDERED


def _content(thing: Any) -> Any:
    if isinstance(thing, Listing):
        return list(thing.items), thing.open, thing.perhaps
    if isinstance(thing, Table):
        return dict(thing.items), thing.open, thing.perhaps
    return dict(thing.attrs)


def _fill(thing: Any, content: Any) -> None:
    if isinstance(thing, Listing):
        thing.items, thing.open, thing.perhaps = list(content[0]), content[1], content[2]
    elif isinstance(thing, Table):
        thing.items, thing.open, thing.perhaps = dict(content[0]), content[1], content[2]
    else:
        thing.attrs.clear()
        thing.attrs.update(content)


def _join_dict(one: dict[Any, Value], other: dict[Any, Value], join: _Join) -> None:
    for name, value in other.items():
        mine = one.get(name, _ABSENT)
        if mine is _ABSENT:
            one[name] = value
        elif mine is not value:
            one[name] = join(mine, value)


def _join_items(one: dict[Any, Value], other: dict[Any, Value], join: _Join) -> None:
    """Join tables; a key of only one branch may be missing, and its default count."""
    lone = [key for key in (*one, *other) if (key in one) != (key in other)]
    for key in one.keys() & other.keys():
        if one[key] is not other[key]:
            one[key] = join(one[key], other[key])
    for key in lone:
        value = one[key] if key in one else other[key]
        one[key] = Choice((*options_of(value), None)) if isinstance(value, Kind) else PLAIN


def _join_list(one: Listing, other: tuple[list[Value], bool, bool], join: _Join) -> None:
    items, is_open, is_empty = other
    one.perhaps |= is_empty or bool(one.items) != bool(items)
    one.items = _aligned(one.items, items, join)
    one.open = one.open or is_open


def _join_parts(one: dict[str, Value], other: dict[str, Value], join: _Join) -> None:
    if list(one.values()) == list(other.values()):
        return
    if all(name.isdigit() for name in (*one, *other)):
        items = _aligned(list(one.values()), list(other.values()), join)
        one.clear()
        one.update({str(place): value for place, value in enumerate(items)})
    else:
        _join_dict(one, other, join)


def _aligned(one: list[Value], other: list[Value], join: _Join) -> list[Value]:
    """Join lists element by element; an element of only one branch may be missing."""
    items = []
    for place in range(max(len(one), len(other))):
        mine = one[place] if place < len(one) else None
        theirs = other[place] if place < len(other) else None
        if mine is theirs:
            items.append(mine)
        elif mine is None or theirs is None:
            options = options_of(theirs if mine is None else mine)
            is_told = any(option is None for option in options)
            items.append(Choice(options if is_told else (*options, None)))
        else:
            items.append(join(mine, theirs))
    return items
