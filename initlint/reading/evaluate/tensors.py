"""Operations on tensors: every function, method and operator becomes an operation of the graph."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.graph.facts import of_call
from initlint.graph.meaning import WHOLE_VIEWS, meaning, writes_in_place
from initlint.graph.ops import Op, Operand, leaves_of, ops_in
from initlint.graph.weights import Factor, factors_of
from initlint.reading.abstract.holders import CONTAINERS, Choice, Instance, Listing, Table
from initlint.reading.abstract.operands import HOLDERS, operand_of, value_of
from initlint.reading.abstract.parts import leaves
from initlint.reading.abstract.sizes import computed, is_size
from initlint.reading.abstract.values import (
    PLAIN,
    Compared,
    Fresh,
    Held,
    Kept,
    Slot,
    Sym,
    Tensor,
    Value,
    known_number,
)
from initlint.reading.fills.writes import worked_out
from initlint.reading.objects.use import Use
from initlint.reading.reader import Reader
from initlint.torchlib import catalog
from initlint.torchlib.creators import CREATORS, EMPTY, created, transformed
from initlint.torchlib.draws import UNCLEAR, Draw

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.USub: "neg",
    ast.UAdd: "pos",
    ast.Invert: "invert",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


def operate(
    reader: Reader, name: str, args: Sequence[Value], kwargs: Mapping[str, Value] | None = None
) -> Value:
    """The result of one of torch's functions, methods or operators, by its bare name."""
    keywords = kwargs or {}
    given, named = operands(reader, args, keywords)
    touch(reader, [*args, *keywords.values()])
    inputs = ops_in(given, named)
    if not inputs:
        made = _made(reader, name, args, keywords)
        if made is not None:
            return made
    operation = catalog.operation_of_function(name)
    multiplies = operation is not None and operation.role in ("weighted", "matmul")
    if multiplies and any(type(part) is Operand for part in leaves_of((given, named))):
        return _multiplied(reader, name, given, named, inputs)
    result = value_of(meaning(name, given, named), reader.graph)
    is_written = bool(args) and type(args[0]) in (Tensor, Compared) and type(result) is Tensor
    if is_written and writes_in_place(name, args, keywords):
        overwritten(reader, args[0], result)
    return result


def touch(reader: Reader, values: Sequence[Value]) -> None:
    """Note the parameters and buffers that an operation takes in."""
    for value in values:
        kind = type(value)
        if kind is Slot:
            reader.graph.touched.add(value)
        elif kind is Held or kind is Kept:
            reader.graph.touched.add(value.slot)
        elif kind in HOLDERS:
            touch(reader, [*leaves(value, HOLDERS)])
        elif kind is Choice:
            touch(reader, value.options)


def operands(
    reader: Reader, args: Sequence[Value], keywords: Mapping[str, Value]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call in the graph's language."""
    given = tuple([operand_of(value, reader.budget) for value in args])
    return given, {key: operand_of(value, reader.budget) for key, value in keywords.items()}


def overwritten(reader: Reader, old: Tensor, new: Value) -> None:
    """Under every name that the running function has for it, a tensor is another one now."""
    names = reader.frames[-1].names if reader.frames else {}
    reader.budget.elements(len(names) // 8)
    names.update({name: new for name, value in names.items() if value is old})


def _made(
    reader: Reader, name: str, args: Sequence[Value], keywords: Mapping[str, Value]
) -> Fresh | None:
    """A tensor that is new, or came of one by arithmetic; None for anything else."""
    fresh = next((value for value in args if type(value) is Fresh), None)
    if name in CREATORS:
        made = _created(name, args, keywords)
    elif fresh is not None:
        made = _derived(fresh, name, args)
    else:
        return None
    made.arms = reader.arms
    return made


def _multiplied(
    reader: Reader,
    name: str,
    args: Sequence[Any],
    keywords: Mapping[str, Any],
    inputs: tuple[Op, ...],
) -> Value:
    """A functional form (F.linear, @, einsum, …) one of whose operands is a parameter."""
    uses = [current(reader, _use(factor)) for factor in factors_of(name, args, keywords)]
    if not uses:
        return Tensor(reader.graph.add(Op("scale", inputs, name))) if inputs else PLAIN
    known = of_call("weighted", name, args, keywords)
    node = Op("weighted", inputs, name, args=known, weights=tuple(uses))
    return Tensor(reader.graph.add(node))


def current(reader: Reader, use: Use) -> Use:
    """A weight with what it holds now, used under the present conditions."""
    # What comes after `if flag: return` is a way of its own, too.
    left = sum(frame.ways_out for frame in reader.frames)
    use.arms = (*reader.arms, -left) if left else reader.arms
    draw = reader.drawn(use.slot)
    return use if draw is use.draw else use.holding(draw)


def assigned(reader: Reader, target: Value, index: Value, value: Value) -> Value:
    """A tensor of which a part was set to a value; a mask, as `y < 0`, tells which."""
    return operate(reader, "setitem", [target, index, value])


def _use(factor: Factor) -> Use:
    slot: Slot = factor.operand.parameter
    kind = "Parameter"
    if isinstance(slot.holder, Instance) and slot.holder.torch not in (*CONTAINERS, "Module", ""):
        kind = slot.holder.cls.name if slot.holder.cls is not None else slot.holder.torch
    fans = (factor.fan_in, factor.fan_out)
    changed = factor.operand.reparametrised
    use = Use(slot, kind, fans, slot.draw, reparametrised=changed, biased=factor.biased)
    return replace(use, spread=factor.spread, stacked=factor.stacked)


def _created(name: str, args: Sequence[Value], keywords: Mapping[str, Value]) -> Fresh:
    shape = _shape_of_new(name, args, keywords)
    is_legacy = name in EMPTY and name[0].isupper()
    if (is_legacy or name == "tensor") and args and type(args[0]) is Fresh:
        return Fresh(args[0].shape, args[0].draw)
    if is_legacy and not _are_sizes(args):
        # torch.Tensor([1.0, 2.0]) holds these numbers.
        return Fresh(None, UNCLEAR)
    values = [value if known_number(value) else None for value in args]
    named = {key: value if known_number(value) else None for key, value in keywords.items()}
    draw = created(name, values, named, None)
    return Fresh(shape, replace(draw, spelled=name) if draw.name else draw)


def _are_sizes(args: Sequence[Value]) -> bool:
    return all(is_size(value) for value in args)


def _shape_of_new(
    name: str, args: Sequence[Value], keywords: Mapping[str, Value]
) -> tuple[Value, ...] | None:
    """The shape of a tensor that a creator makes; None where it is not told by sizes alone."""
    if "*" in keywords:
        # Sizes that lie in a list of unknown length: torch.empty(n, *shape).
        return None
    if name.endswith("_like"):
        like = args[0] if args else keywords.get("input")
        return like.shape if isinstance(like, (Slot, Held, Fresh)) else None
    if name == "tensor":
        return () if args and known_number(args[0]) else None
    places = args[1:] if name.startswith("new_") else args
    if name == "normal" or CREATORS[name] == "full":
        places = [value for value in places if isinstance(value, (tuple, Listing))]
    if name == "eye":
        return tuple(places) if len(places) > 1 else (*places, *places)
    sizes = keywords.get("size", places[0] if len(places) == 1 else tuple(places))
    if isinstance(sizes, Listing):
        # Of a list of unknown length it is not known how many dimensions there are.
        if sizes.open:
            return None
        sizes = tuple(sizes.items)
    return _shape_of(sizes if isinstance(sizes, tuple) else (sizes,))


def _shape_of(sizes: tuple[Value, ...]) -> tuple[Value, ...] | None:
    is_nested = any(isinstance(size, (tuple, Listing, Table)) for size in sizes)
    return None if is_nested or len(sizes) > _DIMENSIONS else sizes


# No tensor of torch's has more.
_DIMENSIONS = 64


def _derived(fresh: Fresh, name: str, args: Sequence[Value]) -> Fresh:
    """A tensor that came of a new one: a view or a copy, or the result of arithmetic."""
    if name in _COPIES:
        return Fresh(fresh.shape, fresh.draw, None if name == "clone" else fresh)
    if name in WHOLE_VIEWS:
        return Fresh(None, fresh.draw if fresh.draw.std is not None else UNCLEAR, fresh)
    known = worked_out(fresh.draw, fresh.shape)
    if name in _CHOOSING and known.std is not None:
        # Of several draws for each element one is taken, such as the first within two std.
        return Fresh(None, known)
    number = next((value for value in args if known_number(value)), None)
    factor = next((value for value in args if type(value) is Sym), None)
    if number is None and factor is not None and name in ("mul", "rmul", "multiply", "truediv"):
        factor = factor if name != "truediv" else computed(ast.Div, 1.0, factor)
        draw = explicit(fresh.draw, factor, None)
        return Fresh(fresh.shape, draw) if draw.name == "normal_" else Fresh(None, UNCLEAR, fresh)
    draw = replace(transformed(name, known, number, None), spelled=fresh.draw.spelled)
    if draw.std is None:
        return Fresh(None, UNCLEAR, fresh)
    return Fresh(fresh.shape, draw)


_CHOOSING = ("gather", "take_along_dim", "index_select")
_COPIES = {
    *("to", "clone", "contiguous", "type_as", "float", "half", "bfloat16", "requires_grad_"),
    # A tensor of an array of NumPy's, and the array in another type.
    *("from_numpy", "as_tensor", "asarray", "astype"),
}


def explicit(draw: Draw, factor: Value, site: Any) -> Draw:
    """A draw after multiplication with a number that may be a symbol, or not known."""
    if type(factor) is Sym and draw.std and not draw.mean and not draw.offset:
        std = computed(ast.Mult, factor, draw.std)
        return Draw("normal_", {"mean": 0.0, "std": std}, None, None, False, site)
    return transformed("mul", draw, factor if known_number(factor) else None, site)
