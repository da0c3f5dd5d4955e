"""Why apply_ leaves a parameter alone: its kind, its memory, or values set on purpose."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Sequence

import torch
from torch import nn

from initlint.fill.memory import is_wrapper, shares_itself
from initlint.fill.shards import Part
from initlint.records import Layer
from initlint.tracing.unchanged import LAZY

LAZY_YET = "no weight yet: run one forward first"
RECURRENT = "it is recurrent, used again on its own result: its gain would compound"
ADAPTER = "it belongs to an adapter"
DEAD = "it would be zero, and is multiplied with {}, which is zero: neither would ever train"
GATED = "it would be zero, and is multiplied with a value computed from {}, which may be zero, too"
STARVED = "its layer's input is multiplied with {}, which is zero: a rectifier of zero never trains"
# A bias was set on purpose if at least 3 elements, and 1 in 8 of all, are equal.
_FEW, _SHARE = 3, 8
# Limits of plausible values of a bias; others come from uninitialised memory.
_LEAST, _MOST = 1e-12, 1e6


def spared(name: str, tensor: torch.Tensor, part: Part | None) -> str:
    """Why a parameter is left alone; empty if it is filled. `part` is its local part."""
    if not tensor.requires_grad:
        return "it is frozen"
    if isinstance(tensor, LAZY):
        return LAZY_YET
    if tensor.is_nested or tensor.layout is not torch.strided:
        kind = "nested" if tensor.is_nested else str(tensor.layout).replace("torch.", "")
        return f"its layout is {kind}"
    if not tensor.is_floating_point() or part is None:
        return f"its dtype is {tensor.dtype}".replace("torch.", "")
    if not _is_signed(tensor.dtype):
        return f"its dtype, {tensor.dtype}, cannot represent the drawn numbers".replace(
            "torch.", ""
        )
    if is_wrapper(part.local):
        return (
            f"a {type(part.local).__name__} computes its values: fill the model before converting"
        )
    if "lora_" in name:
        return ADAPTER
    if shares_itself(part.local):
        return "several of its elements share memory (expanded or overlapping)"
    return ""


def adapters_of(model: nn.Module) -> set[str]:
    """The names of the parameters that peft's layers (LoRA, LoHa, …) list as an adapter's.

    So are all within peft's own parts that wrap no layer (encoders of prompts). A whole layer that
    is trained beside the adapters (`modules_to_save`) is none.
    """
    found = set()
    for prefix, module in model.named_modules():
        is_own = type(module).__module__.startswith("peft.tuners.")
        if is_own and not hasattr(module, "adapter_layer_names") and not _wraps(module):
            found |= {name for name, _ in module.named_parameters(prefix=prefix)}
        # A `__getattr__` of the user's is not asked.
        listed = inspect.getattr_static(module, "adapter_layer_names", ())
        for attribute in listed if isinstance(listed, (tuple, list, set)) else ():
            if attribute == "modules_to_save":
                continue
            start = f"{prefix}.{attribute}" if prefix else str(attribute)
            held = getattr(module, attribute, None)
            if isinstance(held, (nn.Module, nn.ParameterDict)):
                found |= {name for name, _ in held.named_parameters(prefix=start)}
    return found


def _wraps(module: nn.Module) -> bool:
    """Whether a module of peft's holds what it adapts."""
    return any(name in module._modules for name in ("model", "base_layer", "base_model"))


def shared(others: Sequence[str]) -> str:
    """The reason for a parameter that shares memory with `others`."""
    shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
    return f"it shares memory with {shown}"


def kept_bias(values: torch.Tensor | None, layer: Layer) -> str:
    """Why a bias has values that were set on purpose; empty if it may be a default draw.

    The elements of a draw are hardly ever equal, and their mean is zero. So a bias was set if many
    of its elements are the same nonzero number (a prior probability, a gate's -2, one gate of
    several), or if every element is beyond the bounds of PyTorch's default (Mamba's steps,
    log-priors). Implausibly small or large numbers come from uninitialised memory.
    """
    if values is None or not values.numel():
        return ""
    values = values.detach().float()
    present = values[values != 0]
    size = present.abs()
    if not present.numel() or not bool(((size > _LEAST) & (size < _MOST)).all()):
        return ""
    numbers, counts = torch.unique(present, return_counts=True)
    most, number = int(counts.max()), float(numbers[counts.argmax()])
    if 1 < most == values.numel():
        return f"it is a constant, {number:.4g}, that was set"
    if most >= _FEW and most * _SHARE >= values.numel():
        return f"{most} of its elements were set, to {number:.4g}"
    if len(present) == values.numel() and float(size.min()) > 1.001 * _default_bound(layer):
        return f"it was set: every element is further from zero than {_default_bound(layer):.4g}"
    return ""


def _default_bound(layer: Layer) -> float:
    """The largest number that PyTorch's default draws for the bias of such a layer."""
    fan = layer.shape[1] if layer.type == "Bilinear" else math.prod(layer.shape[1:])
    # Recurrent layers draw by the size of their state, however many inputs there are.
    fan = min(fan, layer.shape[0]) if layer.type.startswith("RNN") else fan
    return 1 / math.sqrt(max(1, fan))


@functools.cache
def _is_signed(dtype: torch.dtype) -> bool:
    """Whether a dtype can represent numbers of both signs and zero, and can be copied to."""
    wanted = torch.tensor([-1.0, 0.0, 1.0])
    try:
        return bool(wanted.to(dtype).float().equal(wanted))
    except (RuntimeError, NotImplementedError):
        return False
