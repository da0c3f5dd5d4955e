"""Translates abstract values into operands of a graph, and results back."""

from __future__ import annotations

from typing import Any

from initlint.graph.ops import FIXED, KEPT, UNSURE, Graph, Op, Operand
from initlint.reading.abstract.holders import Choice, Instance, Listing, Table
from initlint.reading.abstract.parts import is_content, leaves, parts_of
from initlint.reading.abstract.sizes import symbol
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Compared,
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
)
from initlint.reading.budget import Budget
from initlint.torchlib.draws import Draw

HOLDERS = (tuple, Listing, Table)


def operand_of(value: Value, budget: Budget) -> Any:
    """The operand for a value: an operation, a parameter, a number, or one of `Given`.

    The elements of lists, tuples and tables become one tuple.
    """
    kind = type(value)
    if kind is Tensor:
        return value.node
    if kind in _THEMSELVES:
        return value
    if kind is Slot:
        shape = _sizes(value.shape)
        return Operand(value, shape, shape)
    if kind is Held:
        own, shape = _sizes(value.slot.shape), _sizes(value.shape)
        return Operand(value.slot, own, shape, value.reparametrised, value.part)
    if kind in HOLDERS:
        found = []
        for part in leaves(value, HOLDERS):
            budget.elements(1)
            found.append(operand_of(part, budget))
        return tuple(found)
    if kind is Instance:
        # An object that only carries data; a module is no argument of an operation.
        return tuple(flat_tensors(value, budget)) if value.torch == "" else FIXED
    if kind is Fresh:
        return _number_in(value.draw)
    if kind is Compared:
        return value.node
    if isinstance(value, Plain):
        return KEPT if kind is Kept else FIXED
    if kind is Named or kind is Sym:
        return symbol(value)
    return UNSURE if isinstance(value, (Unknown, Choice)) else FIXED


_THEMSELVES = {int, float, bool, str, type(None), slice}
# Draws that fill a tensor with one number.
_CONSTANTS = {"zeros_": 0.0, "ones_": 1.0}


def _number_in(draw: Draw) -> Any:
    """The number that a tensor holds everywhere, as `torch.tensor(0.5)` does; else `FIXED`."""
    value = draw.args.get("val") if draw.name == "constant_" else None
    number = float(value) if isinstance(value, (int, float)) else _CONSTANTS.get(draw.name)
    return FIXED if number is None else number


def _sizes(shape: tuple[Value, ...] | None) -> tuple[Any, ...] | None:
    """The sizes; None for each that is neither a number nor a symbol."""
    if shape is None:
        return None
    return tuple([size if type(size) is int else symbol(size) for size in shape])


def value_of(meant: Any, graph: Graph) -> Value:
    """The abstract value for the result of a call; its operation is added to the graph."""
    if type(meant) is Op:
        return Compared(meant) if meant.role == "query" else Tensor(graph.add(meant))
    if type(meant) is Operand:
        shape = meant.shape and tuple([UNKNOWN if size is None else size for size in meant.shape])
        return Held(meant.parameter, shape, meant.reparametrised, meant.part)
    return UNKNOWN if meant is UNSURE else PLAIN


def flat_tensors(value: Value, budget: Budget | None = None) -> list[Op]:
    """The nodes of all tensors in a value, in order; each list, tuple, … is gone through once."""
    kind = type(value)
    if kind is Tensor:
        return [value.node]
    if not _carries(value):
        return []
    found: list[Op] = []
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if type(part) is Tensor:
            found.append(part.node)
        elif _carries(part) and id(part) not in seen:
            seen.add(id(part))
            inner = parts_of(part)
            if budget is not None:
                budget.elements(len(inner))
            waiting += reversed(inner)
    return found


def _carries(value: Value) -> bool:
    """Whether tensors in a value are its own: those of a module are not."""
    return is_content(value) or (type(value) is Instance and value.torch == "")
