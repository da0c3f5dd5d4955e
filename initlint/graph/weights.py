"""The parameters that a function multiplies its input with, and their fans.

Sizes are whole numbers, or symbols that can be multiplied and divided like them; None is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from initlint.graph.ops import Operand, leaves_of

Size = Any
Fans = tuple[Size | None, Size | None]


@dataclass(frozen=True, slots=True)
class Factor:
    """One parameter in a product: its fans, and whether something may be added to the result."""

    operand: Operand
    fan_in: Size | None
    fan_out: Size | None
    biased: bool


# Where the two factors begin among the arguments of a matrix product.
_PRODUCTS = {
    **dict.fromkeys(("matmul", "rmatmul", "imatmul", "mm", "bmm", "grouped_mm"), 0),
    "addmm": 1,
    "baddbmm": 1,
}
# Matrix products that add their first argument.
_SUMS = ("addmm", "baddbmm")


def factors_of(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> list[Factor]:
    """Those of a call's parameters that are matrices of weights (F.linear, @, einsum, …)."""
    bare = name.strip("_")
    found = _factors(bare, args, keywords)
    return [factor for factor in found if _is_matrix(factor.operand)]


def _factors(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Iterator[Factor]:
    if name == "einsum":
        yield from _of_einsum(args)
        return
    if name in _PRODUCTS:
        for place, value in enumerate(args[_PRODUCTS[name] :][:2]):
            for operand in _operands(value):
                fans = _product_fans(operand.shape, first=place == 0)
                yield Factor(operand, *fans, name in _SUMS)
        return
    position = 2 if name == "bilinear" else 1
    given = keywords.get("weight", args[position] if len(args) > position else None)
    bias = keywords.get("bias", args[position + 1] if len(args) > position + 1 else None)
    for operand in _operands(given):
        yield Factor(operand, *_functional_fans(name, operand, args, keywords), bias is not None)


def _operands(value: Any) -> list[Operand]:
    return [part for part in leaves_of(value) if type(part) is Operand]


def _is_matrix(operand: Operand) -> bool:
    return operand.own_shape is None or len(operand.own_shape) > 1


def product(sizes: Sequence[Size | None]) -> Size | None:
    """The product of sizes; None if one of them is not known."""
    result: Size = 1
    for size in sizes:
        if size is None:
            return None
        result = result * size
    return result


def convolution_fans(shape: Sequence[Size | None], groups: Size | None, transposed: bool) -> Fans:
    """fan_in and fan_out of one group of a convolution of any rank.

    A convolution's weight is (out, in/groups, …), a transposed one's (in, out/groups, …);
    torch.nn.init counts both as if they were the first with one group (pytorch issue 23854).
    """
    window = product(shape[2:])
    rows = None if shape[0] is None or not groups else shape[0] // groups
    first, second = product((rows, window)), product((shape[1], window))
    return (first, second) if transposed else (second, first)


def _product_fans(shape: Sequence[Size | None] | None, *, first: bool) -> Fans:
    if shape is None or len(shape) < 2:
        return None, None
    return (shape[-1], shape[-2]) if first else (shape[-2], shape[-1])


def _functional_fans(
    name: str, operand: Operand, args: Sequence[Any], keywords: Mapping[str, Any]
) -> Fans:
    shape = operand.shape
    if shape is None or len(shape) < 2 or name.startswith("embedding"):
        return None, None
    if not name.startswith("conv"):
        return product(shape[1:]), shape[0]
    groups = keywords.get("groups", args[6] if len(args) > 6 else 1)
    known = groups if isinstance(groups, int) else None
    return convolution_fans(shape, known, name.startswith("conv_transpose"))


def _of_einsum(args: Sequence[Any]) -> Iterator[Factor]:
    """Fans from the equation: indices that vanish are summed over, those kept for the result that
    no other operand has are the outputs. What an ellipsis stands for belongs to the data, unless
    the weight has one."""
    equation, values = args[0], list(args[1:])
    if len(values) == 1 and isinstance(values[0], tuple):
        values = list(values[0])
    if not isinstance(equation, str) or "->" not in equation:
        for operand in _operands(values):
            yield Factor(operand, None, None, False)
        return
    # An ellipsis stands for any number of indices, which only the data can have.
    left, result = equation.replace(" ", "").replace("...", ".").split("->")[:2]
    terms = left.split(",")
    for index, (value, term) in enumerate(zip(values, terms, strict=False)):
        others = set("".join(terms[:index] + terms[index + 1 :]))
        for operand in _operands(value):
            yield Factor(operand, *_term_fans(term, result, others, operand.shape), False)


def _term_fans(
    term: str, result: str, others: set[str], shape: Sequence[Size | None] | None
) -> Fans:
    if shape is None or len(term) != len(shape) or "." in term:
        return None, None
    sizes = list(zip(term, shape, strict=True))
    summed = product([size for index, size in sizes if index not in result])
    new = product([size for index, size in sizes if index in result and index not in others])
    return summed, new
