"""Measures the initialisation of a live model from its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from initlint.records import Initializer
from initlint.tracing.unchanged import LAZY

# A sample's mean is one of the weights' own beyond so many standard errors, and of such a share of
# the std: training moves it a little.
_ERRORS, _LEAST_MEAN = 5, 0.25
# Enough for a standard error of 0.8 % in std, few enough to cost microseconds.
_SAMPLE = 8_192
_TOLERANCE = 0.05


def measured(weight: torch.Tensor, bound: float | None) -> Initializer:
    """The initialiser of `weight`: PyTorch's default if that is certain, else the measured std.

    `bound` is the limit of PyTorch's default for this layer, 1/sqrt(fan_in) as torch computes it.
    Large tensors are sampled evenly. The name is unknown for tensors on the meta device, which have
    no values, and for tensors that are not plain arrays of real numbers, which are not read.
    """
    if weight.is_meta or isinstance(weight, LAZY) or kind_of_tensor(weight):
        return Initializer("unknown")
    try:
        values = _sample(weight)
    except NotImplementedError:
        # A wrapper that computes its numbers (quantised by torchao) and has no views.
        return Initializer("unknown")
    std = float(values.std(correction=0)) if len(values) else 0.0
    if not math.isfinite(std):
        return Initializer("unknown")
    if bound and _is_default(values, std, bound):
        return Initializer("kaiming_uniform_", {"a": math.sqrt(5)}, bound / math.sqrt(3), True)
    return Initializer("measured", {}, std, mean=_mean(values, std))


def _mean(values: torch.Tensor, std: float) -> float:
    """The mean of the values; 0 where it is no more than what chance and training give."""
    mean = float(values.mean()) if len(values) else 0.0
    chance = _ERRORS / math.sqrt(len(values) or 1)
    return mean if abs(mean) > std * max(_LEAST_MEAN, chance) else 0.0


def unusual(model: nn.Module) -> Iterator[tuple[str, str]]:
    """The parameters that are not plain arrays of real numbers, each with the reason."""
    for name, parameter in model.named_parameters():
        kind = kind_of_tensor(parameter)
        if kind:
            yield name, f"the parameter is {kind}; its values are not judged"


def kind_of_tensor(tensor: torch.Tensor) -> str:
    """Why a tensor's values cannot be judged: sparse, nested, …; empty for a plain one."""
    if tensor.is_nested:
        return "nested"
    if tensor.layout is not torch.strided:
        return "sparse"
    if tensor.is_quantized:
        return "quantised"
    if tensor.is_complex():
        return "complex"
    return ""


def _sample(weight: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        flat = weight.detach().reshape(-1)
        step = max(1, len(flat) // _SAMPLE)
        return flat[:: step + 1 - step % 2].float()


def _is_default(values: torch.Tensor, std: float, bound: float) -> bool:
    """Uniform on the default's interval: within it, reaching close to it, and of its std."""
    if len(values) < 64:
        return False
    largest = float(values.abs().max())
    close = abs(std * math.sqrt(3) / bound - 1) < max(_TOLERANCE, 3 / math.sqrt(len(values)))
    return close and bound * (1 - 6 / len(values) - 1e-3) < largest <= bound * (1 + 1e-2)
