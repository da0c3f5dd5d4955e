"""Sharded models as they were before: a twin on the meta device, to be traced in their place."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn


def traceable(model: nn.Module) -> nn.Module:
    """`model` itself, or, where its parameters are sharded, a twin of it with whole ones.

    The twin's parameters are on the meta device under the same names; it shares everything else
    but hooks, which gather and scatter. Wrappers that hold the model as a part stay.
    """
    return _twin(model, {}) if _is_sharded(model) else model


def _is_sharded(model: nn.Module) -> bool:
    if not torch.distributed.is_available():
        return False
    from torch.distributed.tensor import DTensor

    return any(isinstance(value.data, DTensor) for value in model.parameters())


def _twin(module: nn.Module, known: dict[int, Any]) -> nn.Module:
    if id(module) in known:
        found: nn.Module = known[id(module)]
        return found
    kind = _bare_class(type(module))
    twin = kind.__new__(kind)
    known[id(module)] = twin
    twin.__dict__.update(module.__dict__)
    for name in vars(module):
        if name.endswith("_hooks") or "_hooks_" in name:
            twin.__dict__[name] = OrderedDict()
    twin._parameters = {k: _meta(v, known) for k, v in module._parameters.items()}
    twin._buffers = {k: _meta(v, known) for k, v in module._buffers.items()}
    twin._modules = {k: v and _twin(v, known) for k, v in module._modules.items()}
    return twin


def _bare_class(kind: type[nn.Module]) -> type[nn.Module]:
    """The class that a module was of before `fully_shard` put another one before it."""
    from torch.distributed.fsdp import FSDPModule

    if not issubclass(kind, FSDPModule):
        return kind
    bases = [base for base in kind.__mro__ if issubclass(base, nn.Module)]
    return next(base for base in bases if not issubclass(base, FSDPModule))


def _meta(value: Any, known: dict[int, Any]) -> Any:
    """A tensor of the full shape without storage, the same one for the same tensor."""
    if value is None:
        return None
    if id(value) not in known:
        empty = torch.empty(value.shape, dtype=value.dtype, device="meta")
        is_parameter = isinstance(value, nn.Parameter)
        known[id(value)] = nn.Parameter(empty, value.requires_grad) if is_parameter else empty
    return known[id(value)]
