"""Faster calls on the meta device, and calls whose meta kernels need another dtype.

Meta kernels are written in Python and take most of the time of a recorded run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

_SAME = {"gelu", "silu", "sigmoid", "tanh", "softmax", "hardswish", "neg", "rsqrt"}
_PAIRED = {"add", "sub", "mul", "div"}


def known_result(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """An empty tensor like the result of a call; None if only the call itself can give it."""
    value = args[0] if args else None
    if type(value) is not torch.Tensor or not value.is_meta or not value.is_floating_point():
        return None
    if name in _SAME:
        plain = len(args) == 1 and not {"inplace", "out", "dtype"} & {
            k for k, v in keywords.items() if v
        }
        return torch.empty_like(value) if plain else None
    if name in _PAIRED:
        plain = len(args) == 2 and not keywords and _fits(value, args[1])
        return torch.empty_like(value) if plain else None
    return torch.empty_like(value) if _is_normalised(name, value, args, keywords) else None


def _fits(value: torch.Tensor, other: Any) -> bool:
    if isinstance(other, torch.Tensor):
        return other.shape == value.shape and other.dtype == value.dtype and other.is_meta
    return isinstance(other, (int, float))


def _is_normalised(
    name: str, value: torch.Tensor, args: Sequence[Any], keywords: Mapping[str, Any]
) -> bool:
    """Whether a normalisation's parameters are of its input's size; else it will raise."""
    if name == "batch_norm":
        mean = keywords.get("running_mean", args[1] if len(args) > 1 else None)
        return mean is not None and value.dim() > 1 and len(mean) == value.shape[1]
    if name == "layer_norm":
        shape = keywords.get("normalized_shape", args[1] if len(args) > 1 else ())
        return len(shape) > 0 and tuple(value.shape[-len(shape) :]) == tuple(shape)
    return False


# Functions whose kernels on the meta device take fewer types than those on real ones.
_PICKY = {"_grouped_mm", "grouped_mm"}


def called(func: Callable[..., Any], name: str, args: Any, keywords: Mapping[str, Any]) -> Any:
    """The result of a function, in bfloat16 if its meta kernel takes no other dtype."""
    if name not in _PICKY or not args[0].is_meta:
        return func(*args, **keywords)
    cast = [a.bfloat16() if torch.is_tensor(a) and a.is_floating_point() else a for a in args]
    return func(*cast, **keywords).to(args[0].dtype)
