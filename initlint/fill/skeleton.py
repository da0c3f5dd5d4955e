"""From a class, a factory or a model on meta to a skeleton: no memory, and what initialises it."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initlint.fill.journal import Journal
from initlint.fill.memory import is_array
from initlint.fill.shards import (
    bare_name,
    part_of,
    parts_of,
    tensors_of,
)
from initlint.fill.twins import twin_of
from initlint.tracing.foreign import contained, quiet
from initlint.tracing.frameworks import initialize_passed_over, initialized_when_made

# Initialises a model in place, or shards it (and may return it).
Init = Callable[[nn.Module], object]
_RESETS = ("reset_parameters", "_reset_parameters")
# Methods that initialise a whole model, by custom called after its construction.
CONVENTIONS = ("init_weights", *_RESETS)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A model on the meta device with whole parameters, and the journal of what writes them.

    `built` is the model that is to be returned, if `model` is a twin of it; `emptied` are its
    tensors that have memory which nothing wrote (the user's function may call `to_empty`).
    """

    model: nn.Module
    journal: Journal = field(default_factory=Journal)
    built: nn.Module | None = None
    emptied: frozenset[str] = frozenset()

    def with_values(self) -> set[str]:
        """The parameters and buffers of the returned model that have values already."""
        there = {name for name, part in parts_of(self.original).items() if not part.local.is_meta}
        return there - self.emptied

    @property
    def original(self) -> nn.Module:
        """The model that is to be returned."""
        return self.model if self.built is None else self.built


def constructed(
    build: Callable[..., nn.Module], arguments: Mapping[str, Any], seed: int
) -> Skeleton | None:
    """What `build(**arguments)` makes on the meta device; None where it cannot be built there.

    `seed` decides what is drawn into memory that it makes all the same (`torch.FloatTensor(2)`),
    and what numpy and Python draw.
    """
    try:
        with (
            contained(),
            quiet(),
            torch.random.fork_rng(devices=[]),
            torch.device("meta"),
            Journal() as journal,
        ):
            seed_everything(seed)
            with initialized_when_made():
                model = build(**arguments)
            if isinstance(model, nn.Module):
                initialize_passed_over(model, is_new=True)
    except Exception:
        # A broken constructor raises the same error on a real device; report that one.
        return None
    return Skeleton(model, journal) if isinstance(model, nn.Module) else None


def seed_everything(seed: int) -> None:
    """Seed the default generators of torch, numpy and Python.

    Torch takes seeds of 64 bits, numpy of 32.
    """
    torch.manual_seed(seed % 2**64)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)


def reset(skeleton: Skeleton) -> None:
    """Record `reset_parameters` of a live model's modules in which tensors have no memory.

    The model's construction was not recorded; this call fills torch's own layers in the same way.
    Parts come first, so that what a module writes into its parts counts.
    """
    for module in _parts_first(skeleton.model):
        resets = [getattr(module, name) for name in _RESETS if hasattr(module, name)]
        tensors = (*module.parameters(), *module.buffers()) if resets else ()
        if any(tensor.is_meta for tensor in tensors):
            there = [(t, t.detach().clone()) for t in tensors if is_array(t) and not t.is_meta]
            with skeleton.journal:
                resets[0]()
            for tensor, before in there:
                tensor.data.copy_(before)


def _parts_first(model: nn.Module) -> list[nn.Module]:
    """All modules of a model, each after its parts: later ones in reverse order are inside."""
    return list(model.modules())[::-1]


def follow_convention(skeleton: Skeleton, init: Init | None) -> None:
    """Record the initialisation that is called after construction: `init`, or the model's own.

    The model's own is that of transformers, or a method `init_weights` without arguments
    (torchtitan). Tensors that have memory keep their values.
    """
    model = skeleton.model
    own = getattr(model, "init_weights", None)
    step = init or (_initialize if _is_without_arguments(own) else initialize_passed_over)
    tensors = (*model.parameters(), *model.buffers())
    there = [(t, t.detach().clone()) for t in tensors if is_array(t) and not t.is_meta]
    with (
        contained(),
        quiet(),
        torch.random.fork_rng(devices=[]),
        torch.device("meta"),
        skeleton.journal,
    ):
        step(model)
    for tensor, before in there:
        tensor.data.copy_(before)


def sharded(skeleton: Skeleton, shard: Init) -> Skeleton:
    """The skeleton of a model after the user's function has sharded it, or wrapped its parts."""
    model = skeleton.original
    everything = (*model.named_parameters(), *model.named_buffers())
    before = {bare_name(name): tensor for name, tensor in everything}
    with _Empties() as empties:
        found = shard(model)
    model = found if isinstance(found, nn.Module) else model
    return Skeleton(twin_of(model, before), skeleton.journal, model, empties.within(model))


class _Empties(TorchFunctionMode):
    """Context that notes what `torch.empty_like` gives, as `to_empty` calls it."""

    def __init__(self) -> None:
        super().__init__()
        self._storages: dict[int, torch.UntypedStorage] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.empty_like and not result.is_meta:
            storage = part_of(result).local.untyped_storage()
            self._storages[storage._cdata] = storage
        return result

    def within(self, model: nn.Module) -> frozenset[str]:
        """The tensors of a model in memory that was given so, and that nothing has written."""
        return frozenset(
            name
            for name, tensor in tensors_of(model).items()
            if not tensor.is_meta
            and not tensor._version
            and part_of(tensor).local.untyped_storage()._cdata in self._storages
        )


def _initialize(model: nn.Module) -> None:
    initialize_passed_over(model)
    model.init_weights()  # type: ignore[operator]


def _is_without_arguments(method: Any) -> bool:
    """Whether a method can be called without arguments."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return False
    free = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return all(p.default is not p.empty or p.kind in free for p in parameters)
