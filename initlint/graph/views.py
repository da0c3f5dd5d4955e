"""The shape of a parameter after a view of it: turned, reshaped, or one matrix of a stack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from initlint.graph.ops import Given, Op

Shape = tuple[Any, ...]

# Functions that exchange the last two axes, all axes, or two that are named.
_LAST_TWO = {"mT", "mH", "adjoint"}
_ALL = {"t", "T", "H"}
_NAMED = {"transpose", "swapaxes", "swapdims"}
_SIZED = {"view", "reshape"}


def shape_after(
    name: str, shape: Shape, args: Sequence[Any], keywords: Mapping[str, Any]
) -> Shape | None:
    """The shape after the view `name`, of a tensor with this one; None if it is not known.

    A size that is None is not known. `args` begin with the tensor itself.
    """
    bare = name.strip("_")
    order = _order(bare, len(shape), args[1:], keywords)
    if order is not None:
        return tuple(shape[axis] for axis in order)
    if bare in _SIZED:
        return _reshaped(shape, _flat(args[1:]) or _flat((keywords.get("shape"),)))
    if bare in ("getitem", "select"):
        return _taken(bare, shape, args[1:])
    if bare == "unbind" and len(shape) > 2 and _first(args[1:], keywords, "dim") in (None, 0):
        # The results, one for each matrix, are taken by their number.
        return shape
    return None


def _order(
    bare: str, rank: int, args: Sequence[Any], keywords: Mapping[str, Any]
) -> list[int] | None:
    """Where the axes of a turned tensor come from; None if it is not turned, or unknown how."""
    order = list(range(rank))
    if bare in _LAST_TWO and rank > 1:
        return [*order[:-2], rank - 1, rank - 2]
    if bare in _ALL:
        return order[::-1] if rank == 2 else None
    if bare == "permute":
        axes = _axes(_flat(args) or _flat((keywords.get("dims"),)), rank)
        return axes if axes is not None and sorted(axes) == order else None
    if bare not in _NAMED:
        return None
    given = _axes([*args, *keywords.values()], rank)
    if given is None or len(given) != 2:
        return None
    one, other = given
    order[one], order[other] = other, one
    return order


def _axes(given: Sequence[Any], rank: int) -> list[int] | None:
    if not given or not all(type(axis) is int and -rank <= axis < rank for axis in given):
        return None
    return [axis % rank for axis in given]


def _flat(given: Sequence[Any]) -> list[Any]:
    """Sizes or axes, given one by one or as one sequence."""
    values = given[0] if len(given) == 1 and isinstance(given[0], tuple) else given
    return [] if list(values) == [None] else list(values)


def _reshaped(shape: Shape, sizes: Sequence[Any]) -> Shape | None:
    """The sizes asked for, if they hold as many elements; names of sizes are believed."""
    if not sizes or any(_is_unknown(size) for size in sizes):
        return None
    if not all(type(size) is int for size in (*shape, *sizes)):
        return None if -1 in sizes else tuple(sizes)
    total, rest = math.prod(shape), math.prod(size for size in sizes if size != -1)
    if -1 in sizes and rest and total % rest == 0:
        sizes = [total // rest if size == -1 else size for size in sizes]
    return tuple(sizes) if math.prod(sizes) == total else None


def _is_unknown(size: Any) -> bool:
    return size is None or isinstance(size, (Given, Op, str, float, bool, slice, tuple))


def _taken(bare: str, shape: Shape, index: Sequence[Any]) -> Shape | None:
    """The shape of a row, or of a matrix of a stack, taken by its number, or of several taken."""
    if bare == "getitem" and len(index) == 1:
        if type(index[0]) is int:
            return shape[1:]
        # An expert for each token: `w[choice]`.
        if type(index[0]) is Op and len(shape) > 2:
            return (None, *shape[1:])
    is_first = bare == "select" and len(index) == 2 and index[0] == 0
    return shape[1:] if is_first and type(index[1]) is int else None


def _first(args: Sequence[Any], keywords: Mapping[str, Any], name: str) -> Any:
    return keywords.get(name, args[0] if args else None)
