"""Containers of modules and parameters: filled, indexed, and asked by their methods."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from initlint.reading.abstract.holders import CONTAINERS, Instance, Listing, Table, elements
from initlint.reading.abstract.parts import choice
from initlint.reading.abstract.submodules import children, parameters_of
from initlint.reading.abstract.values import UNKNOWN, Value, known_number
from initlint.reading.reader import Reader

# Methods of containers that change what they hold.
_REBUILDING = ("append", "extend", "insert", "pop", "clear", "update")


def contain(reader: Reader, instance: Instance, args: Sequence[Value]) -> None:
    """Put what a container is made of into it."""
    if instance.torch == "Sequential" and len(args) != 1:
        for place, value in enumerate(args):
            instance.attrs[str(place)] = value
        return
    for given in args[:1]:
        if isinstance(given, (Listing, Table)) and given.open and not given.items:
            reader.unfollowed = f"the modules that a {instance.torch} holds are not known"
        if isinstance(given, Table):
            instance.attrs.update({str(key): value for key, value in given.items.items()})
        elif isinstance(given, (Listing, tuple)):
            items = given if isinstance(given, tuple) else given.items
            if instance.torch in ("ModuleDict", "ParameterDict"):
                _pair(instance, items)
            else:
                instance.attrs.update({str(i): value for i, value in enumerate(items)})
        elif isinstance(given, Instance) and instance.torch != "Sequential":
            instance.attrs.update(dict(children(given)))
        elif instance.torch == "Sequential":
            instance.attrs["0"] = given


def _pair(instance: Instance, items: Sequence[Value]) -> None:
    for item in items:
        pair = elements(item)
        if pair is not None and len(pair) == len(("name", "part")) and isinstance(pair[0], str):
            instance.attrs[pair[0]] = pair[1]


def ask_container(reader: Reader, instance: Instance, name: str, args: Sequence[Value]) -> Value:
    """A method of a Sequential, a ModuleList, a ModuleDict or a list of parameters."""
    reader.altered += name in _REBUILDING
    if reader.outside and name in _REBUILDING:
        reader.life.rebuild(instance)
    if name == "append" and args and _is_numbered(instance):
        instance.attrs[str(len(instance.attrs))] = args[-1]
        return instance
    parts = instance.members()
    reader.budget.elements(len(parts))
    if name in ("append", "extend") and args:
        # Each is named by how many there were before it.
        added = [args[-1]] if name == "append" else elements(args[0]) or [UNKNOWN]
        instance.attrs.update({str(n): value for n, value in enumerate(added, len(parts))})
        return instance
    if name == "insert" and args:
        _rearrange(instance, rearranged(list(parts.values()), name, args))
        return instance
    if name in ("pop", "clear"):
        return _taken_out(reader, instance, args[0] if args else -1 if name == "pop" else None)
    if name == "update" and args:
        contain(reader, instance, args)
        return None
    if name == "items":
        return Listing([(key, value) for key, value in parts.items()])
    if name == "keys":
        return Listing(list(parts))
    if name == "values":
        return Listing(list(parts.values()))
    if name == "get" and args and isinstance(args[0], str):
        return parts.get(args[0], args[1] if len(args) > 1 else None)
    return UNKNOWN


def _is_numbered(container: Instance) -> bool:
    """Whether a torch container names its members by numbers from 0."""
    last = next(reversed(container.attrs), None)
    is_list = container.cls is None and container.torch not in ("ModuleDict", "ParameterDict")
    return is_list and last in (None, str(len(container.attrs) - 1))


def _rearrange(container: Instance, items: list[Value]) -> None:
    """Make a container hold these, under their numbers."""
    for old in container.members():
        del container.attrs[old]
    container.attrs.update({str(place): value for place, value in enumerate(items)})


def _taken_out(reader: Reader, container: Instance, index: Value) -> Value:
    """What `pop` gives, which the container then holds no more; without an index, all goes."""
    value = part_at(container, index) if index is not None else None
    remove_item(reader, container, slice(None) if index is None else index)
    return value


def remove_item(reader: Reader, owner: Value, index: Value) -> None:
    """What `del` does to something in brackets."""
    if reader.outside:
        reader.life.rebuild(owner)
    if isinstance(owner, Listing):
        owner.items = without(owner.items, index)
    elif isinstance(owner, Table) and isinstance(index, (str, int)):
        owner.items.pop(index, None)
    elif isinstance(owner, Instance) and owner.torch in CONTAINERS:
        if isinstance(index, str):
            owner.attrs.pop(index, None)
        elif owner.torch not in ("ModuleDict", "ParameterDict"):
            _rearrange(owner, without(list(owner.members().values()), index))


def part_at(instance: Instance, index: Value) -> Value:
    """The value of a container's subscript."""
    parts = list(instance.members().values())
    if isinstance(index, slice):
        return _slice(instance, index)
    if isinstance(index, str):
        return instance.attrs.get(index, UNKNOWN)
    if known_number(index):
        return parts[int(index)] if -len(parts) <= index < len(parts) else UNKNOWN
    for _, slot in parameters_of(instance):
        slot.picked = True
    return choice(parts) if parts else UNKNOWN


def _slice(instance: Instance, index: slice) -> Value:
    ends = (index.start, index.stop, index.step)
    known = all(end is None or isinstance(end, int) for end in ends)
    pairs = list(instance.members().items())
    part = Instance(None, instance.torch, instance.site)
    part.attrs = dict(pairs[index] if known else pairs)
    return part


def rearranged(items: list[Value], name: str, args: Sequence[Value]) -> list[Value]:
    """Items after a list's method; all of them unknown where it is not clear which go where."""
    if name == "extend":
        found = elements(args[0])
        return [*items, *(found if found is not None else [UNKNOWN])]
    if name == "append":
        return [*items, args[-1]]
    if type(args[0]) is not int:
        return [UNKNOWN] * (len(items) + 1)
    items.insert(args[0], args[-1])
    return items


def without(items: list[Value], index: Value) -> list[Value]:
    """Items but those in these brackets; all of them unknown where it is not clear which."""
    ends = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
    if not all(type(end) is int or (end is None and len(ends) > 1) for end in ends):
        return [UNKNOWN] * max(0, len(items) - 1)
    left = list(items)
    with contextlib.suppress(IndexError, ValueError):
        del left[index]
    return left
