"""The values of parameters: from memory, or from the record of their construction."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from initlint.fill.journal import Journal
from initlint.fill.memory import is_array
from initlint.fill.replay import Replay
from initlint.fill.shards import Part, flat_parts, tensors_of
from initlint.fill.together import Together


class Held:
    """The values of a model's parameters; sharded ones are gathered.

    Every process that owns a part of a sharded parameter must ask for it. The values of parameters
    on the meta device come from `journal`, if there is one.
    """

    def __init__(
        self,
        model: nn.Module,
        journal: Journal | None = None,
        ranks: Together | None = None,
    ) -> None:
        self._tensors = tensors_of(model)
        self._flat = dict(flat_parts(model))
        self._journal = journal
        self._ranks = ranks or Together()

    def values(self, name: str) -> torch.Tensor | None:
        """A parameter's values; None if they are not known, or drawn at random around zero."""
        tensor = self._tensors[name]
        if not is_array(tensor):
            return None
        with torch.no_grad():
            if id(tensor) in self._flat:
                with self._ranks.exchange(f"gather {name}"):
                    return _gathered(self._flat[id(tensor)])
            if tensor.is_meta:
                return self._written(tensor)
            if not _is_cut(tensor.data):
                return tensor.data
            with self._ranks.exchange(f"gather {name}"):
                return _whole(tensor.data)

    def is_zero(self, name: str) -> bool:
        """Whether a parameter is known to be zero in every element."""
        values = self.values(name)
        return values is not None and values.numel() > 0 and not values.any()

    def has_zeros(self, name: str) -> bool:
        """Whether a parameter is known to be zero in any element."""
        return self.has(name, 0.0)

    def has(self, name: str, number: float) -> bool:
        """Whether any element of a parameter is known to be that number."""
        values = self.values(name)
        return values is not None and bool((values == number).any())

    def _written(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The values that the constructor's last calls write; None for draws around zero."""
        if self._journal is None:
            return None
        ref, cpu = self._journal.ref(tensor), torch.device("cpu")
        if not self._journal.is_filled(ref):
            return None
        replay = Replay(self._journal, cpu, 0, {}, {})
        source = replay.source(ref.storage) if self._journal.covers(ref) else None
        if source is not None and source.distribution == "constant":
            return torch.full(ref.size, source.mean)
        if source is not None and abs(source.mean) < source.std:
            return None
        return replay.view(ref, replay.storage(ref.storage))


def _is_cut(data: torch.Tensor) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(data, DTensor)


def _whole(data: Any) -> torch.Tensor:
    # With CPU offload the shards are where the mesh cannot communicate.
    near: Any = data.to(data.device_mesh.device_type)
    whole: torch.Tensor = near.full_tensor()
    return whole


def _gathered(part: Part) -> torch.Tensor:
    """A parameter that FSDP1 has cut, put together from the parts of all processes."""
    from torch import distributed

    found: list[Any] = [None] * distributed.get_world_size(part.group)
    distributed.all_gather_object(found, (part.first, part.local.cpu()), group=part.group)
    whole = torch.zeros(math.prod(part.shape), dtype=part.local.dtype)
    for first, local in found:
        whole[first : first + len(local)] = local
    return whole.view(part.shape)
