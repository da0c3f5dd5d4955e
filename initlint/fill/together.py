"""All ranks of a model, or none: those that hold other parts are told where a write fails."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from initlint.fill.shards import flat_parts
from initlint.fill.twins import is_sharded


class Together:
    """The processes that hold a model, or copies of it, which all write or all put back."""

    def __init__(self, model: nn.Module) -> None:
        self._groups = _groups(model)

    def any_failed(self, failed: bool) -> bool:
        """Whether a write has failed on any rank; every rank must ask, once.

        Groups are asked in turn: what one dimension of a mesh has heard, the next one hears.
        """
        for group, device in self._groups:
            flag = torch.tensor([float(failed)], device=device)
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, group=group)
            failed = bool(flag.item())
        return failed


def _groups(model: nn.Module) -> list[tuple[Any, str]]:
    """The groups of processes among which a model is cut or copied, each with its device."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return []
    found: dict[int, tuple[Any, str]] = {}
    if is_sharded(model):
        for _, part in flat_parts(model):
            found.setdefault(id(part.group), (part.group, part.local.device.type))
        found |= _of_meshes(model)
    for module in model.modules():
        if isinstance(module, nn.parallel.DistributedDataParallel):
            group = module.process_group
            found.setdefault(id(group), (group, next(module.parameters()).device.type))
    return list(found.values())


def _of_meshes(model: nn.Module) -> dict[int, tuple[Any, str]]:
    from torch.distributed.tensor import DTensor

    meshes = [p.data.device_mesh for p in model.parameters() if isinstance(p.data, DTensor)]
    groups = [(m.get_group(place), m.device_type) for m in meshes for place in range(m.ndim)]
    return {id(group): (group, device) for group, device in groups}
