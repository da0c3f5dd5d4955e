"""The weights that an operation multiplies its input with, and their fans."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from initlint.graph.recurrence import recurrent_part
from initlint.graph.steps import Weight
from initlint.graph.weights import convolution_fans, factors_of, transposed_fans
from initlint.tracing.unchanged import LAZY


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
    weight = _with_fans(Weight(parameter, type(module).__name__, shape, None, None), module)
    changed, biased = original is not None, getattr(module, "bias", True) is not None
    return (weight._replace(reparametrised=changed, biased=biased),)


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


def _with_fans(weight: Weight, module: nn.Module) -> Weight:
    shape = weight.shape
    if not shape or isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return weight
    if isinstance(module, _ConvTransposeNd):
        groups, stride, dilation = module.groups, module.stride, module.dilation
        fan_in, fan_out, share = transposed_fans(shape, groups, stride, dilation)
        return weight._replace(fan_in=fan_in, fan_out=fan_out, spread=share)
    if isinstance(module, _ConvNd):
        fan_in, fan_out = convolution_fans(shape, module.groups)
        return weight._replace(fan_in=fan_in, fan_out=fan_out)
    return weight._replace(fan_in=math.prod(shape[1:]), fan_out=shape[0])


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
            weight = Weight(prefix + name, kind, (rows, columns), columns, rows, following, follows)
            weights.append(weight._replace(recurrent=recurrent_part(name)))
    return tuple(weights)


def weights_of_call(
    name: str, args: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[Weight, ...]:
    """The parameters that a functional form (F.linear, @, einsum, …) multiplies its input with."""
    return tuple(
        Weight(
            factor.operand.parameter,
            "Parameter",
            factor.operand.own_shape or (),
            factor.fan_in,
            factor.fan_out,
            reparametrised=factor.operand.reparametrised,
            biased=factor.biased,
            spread=factor.spread,
            stacked=factor.stacked,
        )
        for factor in factors_of(name, args, keywords)
    )
