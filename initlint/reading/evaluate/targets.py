"""Targets of assignments: names, attributes, elements, and several at once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Bound, Function, Instance, Listing, Partial
from initlint.reading.abstract.lists import element_of
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Plain,
    Slot,
    Tensor,
    Value,
    is_of_library,
)
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.evaluate.subscripts import gone_through, put
from initlint.reading.evaluate.tensors import assigned, operate
from initlint.reading.fills.effects import is_sure, note
from initlint.reading.fills.in_place import set_trainable, write_in_place
from initlint.reading.fills.mistakes import check_assigned
from initlint.reading.objects.classes import hold, name_of
from initlint.reading.reader import Reader

# A compiled target of an assignment.
Bind = Callable[[Value, Frame], None]


def target_of(reader: Reader, node: ast.expr | None) -> Bind:
    """What binds a value to a name, an attribute, an element, or several."""
    if isinstance(node, ast.Name):
        return (_named_outside if node in reader.globals else _named)(node.id)
    if isinstance(node, ast.Attribute):
        owner_of = code_of(reader, node.value)
        return lambda value, frame: _set_attribute(reader, owner_of(frame), node, value)
    if isinstance(node, ast.Subscript):
        return _item_target(reader, node)
    if isinstance(node, (ast.Tuple, ast.List)):
        return _several(reader, node.elts)
    return target_of(reader, node.value) if isinstance(node, ast.Starred) else _nowhere


def _set_attribute(reader: Reader, owner: Value, target: ast.Attribute, value: Value) -> None:
    if target.attr.endswith("_") and isinstance(owner, (Slot, Held)) and is_sure(reader):
        slot = owner.slot if isinstance(owner, Held) else owner
        why = "an assignment replaces the method; call it instead"
        note(reader, target, target.attr, [slot], "lost", why)
    elif isinstance(owner, Instance):
        check_assigned(reader, owner, target, value)
        hold(reader, owner, target.attr, value)
    elif isinstance(owner, Kept) and target.attr == "data":
        write_in_place(reader, owner.slot, "data", [value], {}, target)
    elif isinstance(owner, (Slot, Held, Fresh)) and target.attr == "data":
        write_in_place(reader, owner, "data", [value], {}, target)
    elif isinstance(owner, Slot) and target.attr == "requires_grad":
        set_trainable(reader, owner, value)
    elif isinstance(owner, UserClass) and isinstance(value, (Function, Bound, Partial)):
        # Whoever makes one of these from now on runs other code.
        owner.altered = True
        reader.memo.clear()
    elif isinstance(owner, External) and owner.name.startswith("torch.nn"):
        reader.replace(f"{owner.name}.{target.attr}", value)
    elif reader.outside:
        reader.life.hand_over(value)


def _item_target(reader: Reader, node: ast.Subscript) -> Bind:
    owner_of, index_of = code_of(reader, node.value), code_of(reader, node.slice)
    holder = node.value if isinstance(node.value, ast.Attribute) else None
    is_table = holder is not None and holder.attr in ("_modules", "_parameters", "_buffers")
    module_of = code_of(reader, holder.value) if holder is not None and is_table else None

    def bind(value: Value, frame: Frame) -> None:
        owner, index = owner_of(frame), index_of(frame)
        module = module_of(frame) if module_of is not None else None
        if isinstance(module, Instance):
            hold(reader, module, name_of(module, index, node.slice), value)
        elif isinstance(owner, Tensor):
            target_of(reader, node.value)(assigned(reader, owner, index, value), frame)
        elif isinstance(owner, Kept):
            write_in_place(reader, owner.slot, "index_put_", [value], {}, node)
        elif isinstance(owner, (Plain, Fresh)) and isinstance(value, Tensor):
            target_of(reader, node.value)(reader.unclear([value.node]), frame)
        elif isinstance(owner, (Slot, Held, Fresh)):
            is_number = isinstance(value, (int, float))
            name = ("fill_" if is_number else "copy_") if _is_all(index) else "index_put_"
            write_in_place(reader, owner, name, [value], {}, node)
        else:
            put(reader, owner, index, value)

    return bind


def _is_all(index: Value) -> bool:
    """Whether an index stands for all elements: `w[:] = x`, `w[...] = x`, and `w[None] = x`."""
    return index is None or index is Ellipsis or (isinstance(index, slice) and index == slice(None))


def _several(reader: Reader, nodes: Sequence[ast.expr]) -> Bind:
    """Binds the elements of a value, one to each target."""
    targets = [target_of(reader, node) for node in nodes]
    stars = [place for place, node in enumerate(nodes) if isinstance(node, ast.Starred)]
    exact_end = stars[0] if stars else len(targets)

    def bind(value: Value, frame: Frame) -> None:
        found = gone_through(reader, value)
        exact = found is not None and not (isinstance(value, Listing) and value.open)
        if found is not None and exact and len(found) == len(targets) and not stars:
            for target, item in zip(targets, found, strict=True):
                target(item, frame)
            return
        for place, target in enumerate(targets[:exact_end]):
            target(_part_of(reader, value, found, place), frame)
        if stars:
            rest = _rest(value, found if exact else None, exact_end, len(targets))
            for target, item in zip(targets[exact_end:], rest, strict=False):
                target(item, frame)

    return bind


def _part_of(reader: Reader, value: Value, found: list[Value] | None, place: int) -> Value:
    if isinstance(value, Tensor):
        return operate(reader, "getitem", [value, place])
    if found:
        return found[min(place, len(found) - 1)]
    return element_of(value) if _has_alike(value) else UNKNOWN


def _has_alike(value: Value) -> bool:
    """Whether every element of a value is what the value is, as far as is known."""
    return isinstance(value, (Plain, Slot, Held)) or is_of_library(value)


def _named(name: str) -> Bind:
    def bind(value: Value, frame: Frame) -> None:
        frame.names[name] = value

    return bind


def _named_outside(name: str) -> Bind:
    def bind(value: Value, frame: Frame) -> None:
        frame.names[name] = frame.module.values[name] = value

    return bind


def _nowhere(value: Value, frame: Frame) -> None:
    """Nothing is bound."""


def _rest(value: Value, found: list[Value] | None, start: int, count: int) -> list[Value]:
    """What a target with a star, and those after it, are bound to: from `start` of `count` on."""
    if found is None:
        return [element_of(value)] * (count - start)
    end = len(found) - (count - start - 1)
    return [Listing(found[start:end]), *found[end:]]


def publish(frame: Frame) -> None:
    """What a function knows of the names that it sets for others is what these see."""
    if frame.outer:
        frame.module.values.update({n: frame.names[n] for n in frame.outer if n in frame.names})
