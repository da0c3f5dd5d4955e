"""The parameters of a running model, whole where it gathers them, and means of all ranks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from initlint.fill.shards import part_of
from initlint.fill.together import Together
from initlint.fill.twins import is_sharded
from initlint.records import InitlintError

_ONLY = (
    "the policy calibrated runs the model, and of sharded models only those of fully_shard: use it "
    "before sharding, or another policy"
)


class Gathered:
    """The parameters that a run multiplies with, by name; they are changed with all their shards.

    Where `fully_shard` has cut a model, its forward is given whole tensors that it gathers; what
    is changed in one of them goes back into the part that is here. All ranks run the model, on
    inputs of their own or on the same noise, and take the means of all of them, so that all make
    the same changes. Raises InitlintError for other ways of sharding.
    """

    def __init__(
        self, model: nn.Module, tensors: Mapping[str, nn.Parameter], ranks: Together
    ) -> None:
        self._model, self._tensors, self._ranks = model, tensors, ranks
        self._names = {id(tensor): name for name, tensor in tensors.items()}
        self.is_sharded = is_sharded(model)
        if self.is_sharded and not _is_fully_sharded(model):
            raise InitlintError(_ONLY)
        self._groups = _groups(model) if self.is_sharded else []

    def name_of(self, value: Any) -> str | None:
        """The name of a parameter that a run uses; None if it is none of those asked for."""
        found = self._names.get(id(value))
        if found is None and self.is_sharded and isinstance(value, nn.Parameter):
            # What a part of the model gathers is its parameter while that part runs.
            named = self._model.named_parameters()
            self._names |= {id(p): name for name, p in named if name in self._tensors}
            found = self._names.get(id(value))
        return found

    def change(self, value: torch.Tensor, how: Callable[[torch.Tensor], object]) -> None:
        """Change a parameter in place, and the part of it that this process keeps."""
        name = self.name_of(value)
        if name is None or not self.is_sharded:
            how(value.data)
            return
        part = part_of(self._tensors[name])
        whole = value.data
        if whole.dtype != part.local.dtype:
            # Gathered in another dtype for the run: the kept one is finer.
            whole = self.whole(name).clone()
        how(whole)
        part.local.copy_(part.cut(whole))
        if whole is not value.data:
            value.data.copy_(whole)

    def whole(self, name: str) -> torch.Tensor:
        """A whole parameter; every rank must ask."""
        data: Any = self._tensors[name].data
        if not self.is_sharded:
            return data  # type: ignore[no-any-return]
        with self._ranks.exchange(f"gather {name}"):
            return data.full_tensor()  # type: ignore[no-any-return]

    def mean(self, value: torch.Tensor, count: int = 1) -> torch.Tensor:
        """The mean of all ranks' values, each of which stands for `count` elements."""
        if not self._groups:
            return value
        total = torch.cat([value.reshape(-1).double() * count, value.new_tensor([count]).double()])
        with self._ranks.exchange("take a mean"):
            for group in self._groups:
                torch.distributed.all_reduce(total, group=group)
        return (total[:-1] / total[-1]).to(value.dtype).view(value.shape)

    def all_finite(self) -> list[str]:
        """The names of parameters that are not finite everywhere, on any rank."""
        # Torch asks no numbers of eight bits.
        locals_ = (part_of(tensor).local for tensor in self._tensors.values())
        wide = (x.float() if x.element_size() == 1 else x for x in locals_)
        flags = [float(not one.isfinite().all()) for one in wide]
        everywhere = self.mean(torch.tensor(flags)) if flags else torch.tensor([])
        return [name for name, bad in zip(self._tensors, everywhere.tolist(), strict=True) if bad]

    def agree(self, step: str) -> None:
        """Go on to a step in which a sharded model is gathered."""
        if self.is_sharded:
            self._ranks.agree(step)

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """For a run of all ranks: each part agrees before it is gathered, and is cut again."""
        parts = [m for m in self._model.modules() if self.is_sharded and hasattr(m, "reshard")]

        def agreed(module: nn.Module, args: Any) -> None:
            self.agree("gather a part of the model")

        handles = [part.register_forward_pre_hook(agreed, prepend=True) for part in parts]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            for part in parts:
                part.reshard()  # type: ignore[operator]


def _is_fully_sharded(model: nn.Module) -> bool:
    """Whether `fully_shard` alone has cut a model: its DTensors belong to modules of that class."""
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

    inside = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, FSDPModule)
        for parameter in module.parameters()
    }
    cut = [p for p in model.parameters() if isinstance(p.data, DTensor)]
    return bool(cut) and all(id(p) in inside and _is_plain_mesh(p) for p in cut)


def _is_plain_mesh(parameter: nn.Parameter) -> bool:
    """Whether a parameter is cut in one direction at most, as by FSDP and HSDP alone."""
    data: Any = parameter.data
    names = data.device_mesh.mesh_dim_names or ()
    return sum(p.is_shard() for p in data.placements) < 2 and "tp" not in names


def _groups(model: nn.Module) -> list[Any]:
    """The groups of processes that together hold a model, one for each dimension of its mesh."""
    from torch.distributed.tensor import DTensor

    meshes = [p.data.device_mesh for p in model.parameters() if isinstance(p.data, DTensor)]
    return [meshes[0].get_group(place) for place in range(meshes[0].ndim)]
