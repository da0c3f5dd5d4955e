"""Calls that multiply with a weight: where their units are, and how a mean leaves the weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from initlint.fill.gathered import Gathered

_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_PRODUCTS = ("linear", "matmul", "mm", "addmm", "bmm", "baddbmm", "__matmul__", "bilinear")
# A mean with less than this share of what comes in is noise of the probes.
_SHARE = 1e-2


def is_weighted_call(func: Callable[..., Any]) -> bool:
    """Whether a function multiplies data with a weight."""
    return _name(func) in (*_CONVOLUTIONS, *_TRANSPOSED, *_PRODUCTS, "einsum")


def channel_of(func: Callable[..., Any], result: torch.Tensor) -> int | None:
    """The dimension of a call's result along which its units lie; None if that is not known."""
    name = _name(func)
    if name in (*_CONVOLUTIONS, *_TRANSPOSED):
        return result.dim() - 1 - int(name[-2])
    return None if name == "einsum" else result.dim() - 1


def centred(
    func: Callable[..., Any], args: tuple[Any, ...], weight: torch.Tensor, gathered: Gathered
) -> bool:
    """Take the direction of the mean of what comes in out of `weight`, where that is a large part.

    For linear layers and convolutions that are given their input and weight by position; other
    calls' weights stay as they are. Returns whether the weight has changed.
    """
    name = _name(func)
    plain = len(args) > 1 and args[1] is weight and isinstance(args[0], torch.Tensor)
    if not plain or name not in ("linear", *_CONVOLUTIONS):
        return False
    given = args[0].float()
    channel = given.dim() - 1 - (0 if name == "linear" else int(name[-2]))
    mean = given.mean([d for d in range(given.dim()) if d != channel])
    mean = gathered.mean(mean, given.numel())
    size = gathered.mean(given.square().mean(), given.numel())
    # Not a number is not less, either.
    if not mean.square().mean() >= _SHARE * size:
        return False
    gathered.change(weight, lambda whole: _without_direction(whole, mean))
    return True


def _without_direction(weight: torch.Tensor, mean: torch.Tensor) -> None:
    groups = len(mean) // weight.shape[1]
    rows = weight.view(groups, weight.shape[0] // groups, weight.shape[1], -1)
    direction = mean.to(weight.dtype).view(groups, 1, -1, 1)
    window = rows.shape[-1]
    response = (rows * direction).sum((2, 3), keepdim=True)
    rows.sub_(response * direction / (direction.square().sum(2, keepdim=True) * window))


def _name(func: Callable[..., Any]) -> str:
    return str(getattr(func, "__name__", ""))
