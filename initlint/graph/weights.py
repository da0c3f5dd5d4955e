"""The parameters that a function multiplies its input with, and their fans.

Sizes are whole numbers, or symbols that can be multiplied and divided like them; None is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from initlint.graph.ops import Operand, leaves_of

Size = Any
Fans = tuple[Size | None, Size | None]


class Factor(NamedTuple):
    """One parameter in a product: its fans, and whether something may be added to the result.

    `spread` is the factor by which the stride of a transposed convolution divides fan_in. `stacked`
    is True if a matrix product or an einsum takes a tensor of more than two dimensions, of which
    torch.nn.init counts other fans.
    """

    operand: Operand
    fan_in: Size | None
    fan_out: Size | None
    biased: bool
    spread: float = 1
    stacked: bool = False


# The index of the first factor among the arguments of a matrix product.
_PRODUCTS = {
    **dict.fromkeys(("matmul", "rmatmul", "imatmul", "mm", "spmm", "smm", "bmm", "grouped_mm"), 0),
    "addmm": 1,
    "baddbmm": 1,
}
# Products of which no parameter's fans are told.
_UNTOLD = ("chain_matmul", "multi_dot", "addbmm", "mv", "addmv", "dot", "vdot", "vecdot", "outer")
# Matrix products that add their first argument.
_SUMS = ("addmm", "baddbmm")


def factors_of(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> list[Factor]:
    """The arguments of a call that are weight matrices (F.linear, @, einsum, …)."""
    bare = name.strip("_")
    found = _factors(bare, args, keywords)
    return [factor for factor in found if _is_matrix(factor.operand)]


def _factors(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Iterator[Factor]:
    if name == "einsum":
        yield from _of_einsum(args)
        return
    if name == "tensordot":
        yield from _of_tensordot(args, keywords)
        return
    if name in _PRODUCTS:
        for place, value in enumerate(args[_PRODUCTS[name] :][:2]):
            for operand in _operands(value):
                fans = _product_fans(operand.shape, first=place == 0)
                yield Factor(operand, *fans, name in _SUMS, stacked=_is_stack(operand))
        return
    position = 2 if name == "bilinear" else 1
    given = keywords.get("weight", args[position] if len(args) > position else None)
    bias = keywords.get("bias", args[position + 1] if len(args) > position + 1 else None)
    for operand in _operands(given):
        if name.startswith("conv_transpose"):
            fan_in, fan_out, share = _functional_transposed(operand, args, keywords)
            yield Factor(operand, fan_in, fan_out, bias is not None, share)
        else:
            fans = _functional_fans(name, operand, args, keywords)
            is_stack = name == "linear" and _is_stack(operand)
            yield Factor(operand, *fans, bias is not None, stacked=is_stack)


def _operands(value: Any) -> list[Operand]:
    return [part for part in leaves_of(value) if type(part) is Operand]


def _is_matrix(operand: Operand) -> bool:
    return operand.own_shape is None or len(operand.own_shape) > 1


def _is_stack(operand: Operand) -> bool:
    return operand.own_shape is not None and len(operand.own_shape) > 2


def product(sizes: Sequence[Size | None]) -> Size | None:
    """The product of sizes; None if one of them is not known."""
    result: Size = 1
    for size in sizes:
        if size is None:
            return None
        result = result * size
    return result


def convolution_fans(shape: Sequence[Size | None], groups: Size | None) -> Fans:
    """fan_in and fan_out of one group of a convolution of any rank.

    Its weight is (out, in/groups, …); torch.nn.init counts the fan_out of all groups together.
    """
    rows = None if shape[0] is None or not groups else shape[0] // groups
    return product(shape[1:]), product((rows, *shape[2:]))


def transposed_fans(
    shape: Sequence[Size | None], groups: Size | None, stride: Any, dilation: Any
) -> tuple[Size | None, Size | None, float]:
    """fan_in and fan_out of one group of a transposed convolution, and its `spread`.

    Its weight is (in, out/groups, …); torch.nn.init takes in for out, and does not count the
    stride (pytorch issue 23854). Where the stride is not known, fan_in is not, either.
    """
    fan_in, fan_out = reversed(convolution_fans(shape, groups))
    kernel: list[Any] = list(shape[2:])
    strides, dilations = _each(stride, len(kernel)), _each(dilation, len(kernel))
    if fan_in is None or all(step == 1 for step in strides):
        return fan_in, fan_out, 1
    if not all(type(size) is int and size > 0 for size in (*kernel, *strides, *dilations)):
        return None, fan_out, 1
    share = spread(kernel, strides, dilations)
    fan_in = fan_in / share
    return whole(fan_in) if isinstance(fan_in, float) else fan_in, fan_out, share


def spread(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> int:
    """Over how many positions of its result a transposed convolution spreads the kernel's taps.

    Taps land on the stride's positions in turn, so that each sees kernel/stride of them in every
    dimension: fan_in is divided by the product of the strides. A dilation that shares a factor with
    the stride, or a kernel smaller than it, leaves positions empty: the others share the taps.
    """
    return math.prod(
        min(taps, step // math.gcd(step, gap))
        for taps, step, gap in zip(kernel, stride, dilation, strict=True)
    )


def whole(fan: float) -> float:
    """The same number, an int where it is one."""
    return int(fan) if fan == int(fan) else fan


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    """A size for each dimension, as torch reads one number or several; unknown ones are None."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    values = values * rank if len(values) == 1 else values
    return values if len(values) == rank else (None,) * rank


def _product_fans(shape: Sequence[Size | None] | None, *, first: bool) -> Fans:
    if shape is None or len(shape) < 2:
        return None, None
    return (shape[-1], shape[-2]) if first else (shape[-2], shape[-1])


def _functional_fans(
    name: str, operand: Operand, args: Sequence[Any], keywords: Mapping[str, Any]
) -> Fans:
    shape = operand.shape
    if shape is None or len(shape) < 2 or name.startswith("embedding") or name in _UNTOLD:
        return None, None
    if not name.startswith("conv"):
        return product(shape[1:]), shape[0]
    return convolution_fans(shape, _groups(args, keywords))


def _functional_transposed(
    operand: Operand, args: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[Size | None, Size | None, float]:
    shape = operand.shape
    if shape is None or len(shape) < 2:
        return None, None, 1
    stride = keywords.get("stride", args[3] if len(args) > 3 else 1)
    dilation = keywords.get("dilation", args[7] if len(args) > 7 else 1)
    return transposed_fans(shape, _groups(args, keywords), stride, dilation)


def _groups(args: Sequence[Any], keywords: Mapping[str, Any]) -> int | None:
    groups = keywords.get("groups", args[6] if len(args) > 6 else 1)
    return groups if isinstance(groups, int) else None


def _of_tensordot(args: Sequence[Any], keywords: Mapping[str, Any]) -> Iterator[Factor]:
    """Fans from the dimensions that are summed over, given as their number or as two lists."""
    dims = keywords.get("dims", args[2] if len(args) > 2 else 2)
    for place, value in enumerate(args[:2]):
        for operand in _operands(value):
            shape, summed = operand.shape, _summed(dims, place, operand.shape)
            if shape is None or summed is None:
                yield Factor(operand, None, None, False)
                continue
            fans = (
                product([size for axis, size in enumerate(shape) if axis in summed]),
                product([size for axis, size in enumerate(shape) if axis not in summed]),
            )
            yield Factor(operand, *fans, False, stacked=_is_stack(operand))


def _summed(dims: Any, place: int, shape: Sequence[Size | None] | None) -> set[int] | None:
    """The axes of one of tensordot's factors that are summed over; None if they are not known."""
    if shape is None:
        return None
    rank = len(shape)
    if type(dims) is int and 0 < dims <= rank:
        return set(range(dims)) if place else set(range(rank - dims, rank))
    if not isinstance(dims, (tuple, list)) or len(dims) != 2:
        return None
    axes = dims[place] if isinstance(dims[place], (tuple, list)) else (dims[place],)
    if not all(type(axis) is int and -rank <= axis < rank for axis in axes):
        return None
    return {axis % rank for axis in axes}


def _of_einsum(args: Sequence[Any]) -> Iterator[Factor]:
    """Fans from an einsum equation: indices that are summed over are the inputs; indices of the
    result that no other operand has are the outputs. The dimensions of an ellipsis belong to the
    data, unless the weight has one."""
    equation, values = args[0], list(args[1:])
    if len(values) == 1 and isinstance(values[0], tuple):
        values = list(values[0])
    if not isinstance(equation, str) or "->" not in equation:
        for operand in _operands(values):
            yield Factor(operand, None, None, False)
        return
    # The data may have any number of dimensions in place of an ellipsis.
    left, result = equation.replace(" ", "").replace("...", ".").split("->")[:2]
    terms = left.split(",")
    for index, (value, term) in enumerate(zip(values, terms, strict=False)):
        others = set("".join(terms[:index] + terms[index + 1 :]))
        for operand in _operands(value):
            fans = _term_fans(term, result, others, operand.shape)
            yield Factor(operand, *fans, False, stacked=_is_stack(operand))


def _term_fans(
    term: str, result: str, others: set[str], shape: Sequence[Size | None] | None
) -> Fans:
    if shape is None or len(term) != len(shape) or "." in term:
        return None, None
    sizes = list(zip(term, shape, strict=True))
    summed = product([size for index, size in sizes if index not in result])
    new = product([size for index, size in sizes if index in result and index not in others])
    return summed, new
