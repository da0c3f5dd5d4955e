"""The weights that an operation multiplies its input with, and their fans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import fx, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from initlint.dataflow.graph import Weight
from initlint.trace.unchanged import LAZY

Tensors = Mapping[str, torch.Tensor]
Fans = tuple[int | None, int | None]


def weights_of_module(name: str, module: nn.Module) -> tuple[Weight, ...]:
    """The weights of one of torch's own weighted modules, called `name` in the model."""
    prefix = f"{name}." if name else ""
    if isinstance(module, nn.MultiheadAttention):
        return _attention_weights(prefix, module)
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return _recurrent_weights(prefix, module)
    original = _reparametrised_from(module)
    weight = getattr(module, "weight", None)
    if original is None and not isinstance(weight, torch.Tensor):
        return ()
    parameter = prefix + (original or "weight")
    shape = shape_of(weight) if isinstance(weight, torch.Tensor) else ()
    fan_in, fan_out = _module_fans(module, shape)
    kind = type(module).__name__
    changed, biased = original is not None, getattr(module, "bias", True) is not None
    return (Weight(parameter, kind, shape, fan_in, fan_out, reparametrised=changed, biased=biased),)


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """A tensor's shape; () for a lazy parameter, which has none before the first forward."""
    if isinstance(tensor, LAZY):
        return ()
    return tuple(tensor.shape)


def _reparametrised_from(module: nn.Module) -> str | None:
    """The parameter behind a weight that is computed (weight norm, spectral norm, …)."""
    if "weight" in module._parameters:
        return None
    names = [name for name, _ in module.named_parameters() if "weight" in name]
    stored = [n for n in names if n.endswith(("original", "original1", "weight_v", "weight_orig"))]
    return next(iter(stored or names), None)


def _module_fans(module: nn.Module, shape: tuple[int, ...]) -> Fans:
    if not shape or isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return None, None
    if isinstance(module, _ConvNd):
        return convolution_fans(shape, module.groups, isinstance(module, _ConvTransposeNd))
    return math.prod(shape[1:]), shape[0]


def convolution_fans(shape: tuple[int, ...], groups: int, transposed: bool) -> Fans:
    """fan_in and fan_out of one group of a convolution of any rank.

    A convolution's weight is (out, in/groups, …), a transposed one's (in, out/groups, …);
    torch.nn.init counts both as if they were the first with one group (pytorch issue 23854).
    """
    window = math.prod(shape[2:])
    first, second = shape[0] // groups * window, shape[1] * window
    return (first, second) if transposed else (second, first)


def _attention_weights(prefix: str, module: nn.MultiheadAttention) -> tuple[Weight, ...]:
    """Packed or separate projections of q, k and v, and the output projection last."""
    names = ["in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"]
    inner = []
    for name in names:
        tensor = getattr(module, name, None)
        if isinstance(tensor, torch.Tensor):
            rows, columns = tensor.shape
            out = rows // 3 if name == "in_proj_weight" else rows
            kind = type(module).__name__
            inner.append(Weight(prefix + name, kind, (rows, columns), columns, out, "attention"))
    return (*inner, *weights_of_module(prefix + "out_proj", module.out_proj))


def _recurrent_weights(prefix: str, module: nn.Module) -> tuple[Weight, ...]:
    """Input and recurrent weights as they are: the gates of all rows in one matrix."""
    kind = type(module).__name__
    plain = isinstance(module, (nn.RNN, nn.RNNCell))
    following = getattr(module, "nonlinearity", "tanh") if plain else "mixed"
    follows = () if plain else ("sigmoid", "tanh")
    weights = []
    for name, tensor in module.named_parameters():
        if name.startswith("weight"):
            rows, columns = tensor.shape
            weights.append(
                Weight(prefix + name, kind, (rows, columns), columns, rows, following, follows)
            )
    return tuple(weights)


@dataclass(frozen=True, slots=True)
class Operand:
    """A parameter as an operation sees it: `shape` is () where a reshape has hidden its axes."""

    parameter: str
    shape: tuple[int, ...]
    reparametrised: bool = False


def weights_of_call(
    name: str, node: fx.Node, operands: Mapping[fx.Node, Operand], tensors: Tensors
) -> tuple[Weight, ...]:
    """The parameters that a functional form (F.linear, @, einsum, …) multiplies its input with.

    `operands` says which of the node's inputs are parameters of the model.
    """
    found = []
    for value, fans in _multiplied(name.strip("_"), node, operands):
        operand = operands[value]
        shape = shape_of(tensors[operand.parameter])
        if len(shape) > 1:
            weight = Weight(operand.parameter, "Parameter", shape, *fans)
            changed, biased = operand.reparametrised, _is_biased(name.strip("_"), node)
            found.append(replace(weight, reparametrised=changed, biased=biased))
    return tuple(found)


def _is_biased(name: str, node: fx.Node) -> bool:
    """Whether a functional form adds something to the product with its weight."""
    if name in _SUMS or name == "einsum":
        return name in _SUMS
    if name in _PRODUCTS:
        return False
    place = _weight_position(name) + 1
    return node.kwargs.get("bias", dict(enumerate(node.args)).get(place)) is not None


def _multiplied(
    name: str, node: fx.Node, operands: Mapping[fx.Node, Operand]
) -> list[tuple[fx.Node, Fans]]:
    """Those of a call's parameters that are matrices of weights, with their fans."""
    if name == "einsum":
        return _einsum_weights(node, operands)
    if name in _PRODUCTS:
        factors = [v for v in node.args[_PRODUCTS[name] :] if isinstance(v, fx.Node)][:2]
        return [
            (value, _product_fans(operands[value].shape, first=index == 0))
            for index, value in enumerate(factors)
            if value in operands
        ]
    value = node.kwargs.get("weight", dict(enumerate(node.args)).get(_weight_position(name)))
    if not isinstance(value, fx.Node) or value not in operands:
        return []
    return [(value, _functional_fans(name, node, operands[value].shape))]


# Matrix products that add their first argument.
_SUMS = ("addmm", "baddbmm")
# Where the two factors begin among the arguments of a matrix product.
_PRODUCTS = {
    **dict.fromkeys(("matmul", "rmatmul", "mm", "bmm", "grouped_mm"), 0),
    "addmm": 1,
    "baddbmm": 1,
}


def _weight_position(name: str) -> int:
    return 2 if name == "bilinear" else 1


def _product_fans(shape: tuple[int, ...], *, first: bool) -> Fans:
    if len(shape) < 2:
        return None, None
    return (shape[-1], shape[-2]) if first else (shape[-2], shape[-1])


def _functional_fans(name: str, node: fx.Node, shape: tuple[int, ...]) -> Fans:
    if len(shape) < 2 or name.startswith("embedding"):
        return None, None
    if not name.startswith("conv"):
        return math.prod(shape[1:]), shape[0]
    groups = node.kwargs.get("groups", dict(enumerate(node.args)).get(6, 1))
    if not isinstance(groups, int):
        return None, None
    return convolution_fans(shape, groups, name.startswith("conv_transpose"))


def _einsum_weights(
    node: fx.Node, operands: Mapping[fx.Node, Operand]
) -> list[tuple[fx.Node, Fans]]:
    """Fans from the equation: indices that vanish are summed over, those kept for the result that
    no other operand has are the outputs. What an ellipsis stands for belongs to the data, unless
    the weight has one."""
    equation, values = node.args[0], list(node.args[1:])
    if len(values) == 1 and isinstance(values[0], (list, tuple)):
        values = list(values[0])
    if not isinstance(equation, str) or "->" not in equation:
        return [(v, (None, None)) for v in values if isinstance(v, fx.Node) and v in operands]
    left, result = equation.replace(" ", "").split("->")
    terms = left.split(",")
    found = []
    for index, (value, term) in enumerate(zip(values, terms, strict=False)):
        if isinstance(value, fx.Node) and value in operands:
            others = set("".join(terms[:index] + terms[index + 1 :]))
            found.append((value, _term_fans(term, result, others, operands[value].shape)))
    return found


def _term_fans(term: str, result: str, others: set[str], shape: tuple[int, ...]) -> Fans:
    if len(term) != len(shape) or "." in term:
        return None, None
    sizes = dict(zip(term, shape, strict=True))
    summed = math.prod(size for index, size in sizes.items() if index not in result)
    new = math.prod(
        size for index, size in sizes.items() if index in result and index not in others
    )
    return summed, new
