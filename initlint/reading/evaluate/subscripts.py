"""Brackets: elements of values, read and assigned."""

from __future__ import annotations

import contextlib

from initlint.reading.abstract.holders import (
    CONTAINERS,
    Choice,
    Instance,
    Listing,
    Table,
    elements,
    extend,
)
from initlint.reading.abstract.parts import choice, contents_of, is_small, leaves
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Named,
    Plain,
    Slot,
    Sym,
    Tensor,
    Unknown,
    Value,
    bounded,
    external,
    is_of_library,
    named,
)
from initlint.reading.budget import ELEMENTS, LONGEST_NAME
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.tensors import operate
from initlint.reading.objects.apart import set_apart
from initlint.reading.objects.classes import (
    constant_of,
    enumerated,
    hold,
    is_enum,
    lookup,
    method_of,
)
from initlint.reading.objects.containers import part_at
from initlint.reading.reader import Reader

# Keys of dicts that are told apart: layers and parameters are keys by what they are.
_KEYS = (str, int, tuple, Instance, Slot)


def item_of(reader: Reader, value: Value, index: Value) -> Value:
    """The value of a subscript."""
    if isinstance(value, (Tensor, Slot, Held, Fresh)):
        return operate(reader, "getitem", [value, index])
    if type(index) is not int and type(index) is not str:
        length = len(value) // 64 if type(value) is str else len(contents_of(value))
        reader.budget.elements(length + len(contents_of(index)))
    if isinstance(value, Kept):
        reader.graph.touched.add(value.slot)
    if isinstance(value, (tuple, Listing, str)):
        found = _element(value, index)
        return _element(value, index) if set_apart(reader, value, found) else found
    if isinstance(value, Table):
        return _entry(value, index)
    if isinstance(value, Instance):
        return _item_of_instance(reader, value, index)
    if type(value) is External and value.name == "sys.modules" and reader.frames:
        # Nearly always by `__name__`: the file itself.
        return reader.frames[-1].module
    if isinstance(value, UserClass):
        return _item_of_class(reader, value, index)
    if isinstance(value, Choice):
        return choice([item_of(reader, one, index) for one in value.options if one is not None])
    if isinstance(value, Named) and isinstance(index, (int, str)):
        return named(value, f"[{index}]") if bounded(index) is index else UNKNOWN
    if isinstance(value, Unknown):
        return value
    if is_of_library(value):
        return external(f"{value.name}[]") if len(value.name) < LONGEST_NAME else UNKNOWN
    return PLAIN if isinstance(value, (Plain, Sym, Named)) else UNKNOWN


def _item_of_class(reader: Reader, cls: UserClass, index: Value) -> Value:
    """What a class in brackets is: a member of an enumeration, else the class (`Base[T]`)."""
    if not is_enum(reader, cls):
        return UNKNOWN if lookup(reader, cls, "__class_getitem__") else cls
    found = lookup(reader, cls, index) if isinstance(index, str) else None
    if found is None or not isinstance(index, str):
        return UNKNOWN
    return enumerated(reader, cls, index, constant_of(reader, *found))


def _item_of_instance(reader: Reader, value: Instance, index: Value) -> Value:
    if value.torch in CONTAINERS:
        found = part_at(value, index)
        return part_at(value, index) if set_apart(reader, value, found) else found
    if value.cls is None:
        return UNKNOWN
    method = lookup(reader, value.cls, "__getitem__")
    if method is None:
        return UNKNOWN
    return call(reader, method_of(reader, *method), [value, index], {})


def put(reader: Reader, value: Value, index: Value, item: Value) -> None:
    """Assign to a subscript."""
    if reader.outside:
        reader.life.rebuild(value)
    if isinstance(value, Table):
        if len(value.items) >= ELEMENTS:
            value.open = True
        elif _is_key(index):
            value.items[index] = item
        else:
            value.items[f"{{{len(value.items)}}}"] = item
            value.open = True
    elif isinstance(value, Listing):
        if isinstance(index, slice):
            _put_several(reader, value, index, item)
        elif type(index) is int and -len(value.items) <= index < len(value.items):
            value.items[index] = item
    elif isinstance(value, Instance) and value.torch in CONTAINERS:
        names = list(value.members())
        if type(index) is int and -len(names) <= index < len(names):
            value.attrs[names[index]] = item
        elif isinstance(index, str):
            hold(reader, value, index, item)
        else:
            value.attrs[f"{{{len(names)}}}"] = item


def _put_several(reader: Reader, value: Listing, index: slice, item: Value) -> None:
    """Put several items in place of others."""
    ends = (index.start, index.stop, index.step)
    found = elements(item)
    if found is None or not all(end is None or type(end) is int for end in ends):
        value.items = [UNKNOWN] * len(value.items)
        value.open = True
        return
    reader.budget.elements((len(found) + len(value.items)) // 8)
    with contextlib.suppress(ValueError):
        value.items[index] = found
        extend(value, ())


def gone_through(reader: Reader, value: Value) -> list[Value] | None:
    """The elements that a loop iterates over, charged to the budget; None if not known."""
    found = elements(value)
    reader.budget.elements(len(found or ()) // 8)
    return found


def _element(value: tuple[Value, ...] | Listing | str, index: Value) -> Value:
    items = value.items if isinstance(value, Listing) else value
    open_ended = isinstance(value, Listing) and value.open
    if isinstance(index, slice):
        return _slice(value, items, index)
    if type(index) is int or isinstance(index, bool):
        if open_ended and index < 0:
            return items[-1] if items else UNKNOWN
        if -len(items) <= index < len(items):
            return items[index]
        return items[-1] if open_ended and items else UNKNOWN
    if isinstance(value, str) or not items:
        return PLAIN if isinstance(value, str) else UNKNOWN
    return choice(list(items))


def _slice(
    value: tuple[Value, ...] | Listing | str,
    items: list[Value] | tuple[Value, ...] | str,
    index: slice,
) -> Value:
    ends = (index.start, index.stop, index.step)
    if all(end is None or type(end) is int for end in ends):
        part = items[index]
        if isinstance(value, Listing):
            return Listing(list(part), value.open, perhaps=value.perhaps)
        return part
    if isinstance(value, str):
        return PLAIN
    return Listing(list(items), True)


def _entry(value: Table, index: Value) -> Value:
    if _is_class(index) and index in value.items:
        return value.items[index]
    if isinstance(index, _KEYS) and not _has_unknown(index):
        if index in value.items:
            return value.items[index]
        return UNKNOWN
    return choice(list(value.items.values())) if value.items else UNKNOWN


def _is_key(index: Value) -> bool:
    """Whether a dict is kept by this key; slices have no hash, but may lie in a tuple."""
    is_hashable = _is_class(index) or (isinstance(index, _KEYS) and is_small(index))
    return is_hashable and not any(type(part) is slice for part in leaves(index))


def _is_class(index: Value) -> bool:
    """Whether a key is a class, of the files or of torch's; what a call gives has no name."""
    if isinstance(index, External):
        return index.name.startswith("torch.nn.") and "(" not in index.name
    return isinstance(index, UserClass)


def _has_unknown(index: Value) -> bool:
    return isinstance(index, tuple) and not all(isinstance(v, (str, int)) for v in index)
