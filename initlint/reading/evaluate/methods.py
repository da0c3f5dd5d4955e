"""Methods that the language or torch provides: of tensors, parameters, lists, texts."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from initlint.reading.abstract.holders import Instance, Optimiser, Super
from initlint.reading.abstract.sizes import product
from initlint.reading.abstract.values import (
    PLAIN,
    Compared,
    Fresh,
    Held,
    Kept,
    Sampled,
    Slot,
    Tensor,
    Value,
)
from initlint.reading.evaluate.plain import asked, costs
from initlint.reading.evaluate.subscripts import item_of
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills.in_place import write_in_place
from initlint.reading.fills.initial import lost
from initlint.reading.objects.fields import fill_fields, generated
from initlint.reading.objects.module_methods import apply_to_loaded, ask_module
from initlint.reading.reader import Reader


def call_method(
    reader: Reader,
    receiver: Value,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A method that the language or torch provides."""
    if type(receiver) is Tensor:
        return operate(reader, name, [receiver, *args], kwargs)
    if isinstance(receiver, Fresh):
        if name.endswith("_") and not name.endswith("__"):
            return write_in_place(reader, receiver, name, args, kwargs, node)
        return operate(reader, name, [receiver, *args], kwargs)
    if isinstance(receiver, (Slot, Held)):
        return _ask_parameter(reader, receiver, name, args, kwargs, node)
    if isinstance(receiver, Instance):
        return ask_module(reader, receiver, name, args, kwargs, node)
    if type(receiver) is Sampled:
        return apply_to_loaded(reader, receiver, args, kwargs, node)
    if isinstance(receiver, Super):
        base = generated(reader, receiver.receiver.cls, receiver.owner)
        if base is not None:
            fill_fields(reader, receiver.receiver, base, args, kwargs)
        return None
    if isinstance(receiver, Kept) and name.endswith("_") and not name.endswith("__"):
        write_in_place(reader, receiver.slot, name, args, kwargs, node)
        return receiver
    if isinstance(receiver, Kept) and name not in MEASURING:
        reader.graph.touched.add(receiver.slot)
    if isinstance(receiver, Optimiser):
        if name == "step" and reader.outside:
            reader.life.train_used()
        return PLAIN
    reader.budget.elements(costs(receiver, name, args) // 4)
    result = asked(receiver, name, args, kwargs)
    if result is NotImplemented:
        if receiver is PLAIN or reader.nodes_in([*args, *kwargs.values()]):
            # Noise or a mask (`torch.randn_like(std).mul(std)`) goes on as the data do.
            return operate(reader, name, [receiver, *args], kwargs)
        if isinstance(receiver, Compared):
            return receiver
        return lost(reader, args, kwargs, name)
    return result


# Methods that tell a tensor's sizes, and look at none of its elements.
_COUNTING = ("numel", "nelement")
MEASURING = ("size", "dim", "ndimension", *_COUNTING)


def _ask_parameter(
    reader: Reader,
    receiver: Slot | Held,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    if name.endswith("_") and not name.endswith("__"):
        return write_in_place(reader, receiver, name, args, kwargs, node)
    shape = receiver.shape
    if name in MEASURING and shape is not None:
        if name == "size":
            return item_of(reader, shape, args[0]) if args else shape
        return product(shape) if name in _COUNTING else len(shape)
    if name == "detach":
        # It has the same memory: what is written to it is written to the parameter.
        return receiver if isinstance(receiver, Held) else Held(receiver, shape)
    return operate(reader, name, [receiver, *args], kwargs)
