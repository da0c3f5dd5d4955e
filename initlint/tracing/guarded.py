"""Memory of a live model's parameters, which no code that initlint runs may write."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from initlint.tracing.unchanged import LAZY


@contextlib.contextmanager
def guarded(model: nn.Module) -> Iterator[None]:
    """A context in which a write into the memory of a parameter of `model` raises RuntimeError.

    Symbolic tracing puts a proxy in the place of `self.fc.weight`, but not of what reaches the
    parameter another way: `self.load_state_dict(…)`, `self._parameters["w"].data`, a global.
    """
    memory = {key for p in model.parameters() if (key := _memory_of(p)) is not None}
    if not memory:
        yield
        return
    with _Guard(memory):
        yield


class _Guard(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation that torch carries out, below autograd and views."""

    def __init__(self, memory: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory = memory

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func._schema.is_mutable:
            for place, argument in enumerate(func._schema.arguments):
                given = args[place] if place < len(args) else named.get(argument.name)
                if argument.is_write and any(map(self._is_guarded, _tensors_of(given))):
                    raise RuntimeError(f"forward writes to a parameter of the model ({func})")
        call: Callable[..., Any] = func
        return call(*args, **named)

    def _is_guarded(self, tensor: torch.Tensor) -> bool:
        return _memory_of(tensor) in self._memory


def _tensors_of(given: Any) -> list[torch.Tensor]:
    parts = given if isinstance(given, (list, tuple)) else [given]
    return [part for part in parts if isinstance(part, torch.Tensor)]


def _memory_of(tensor: torch.Tensor) -> int | None:
    """Where a tensor's storage begins; None for one without memory of its own."""
    if isinstance(tensor, LAZY) or tensor.is_meta:
        return None
    try:
        return tensor.untyped_storage().data_ptr() or None
    except (NotImplementedError, RuntimeError):
        # Sparse tensors and wrappers keep what they hold in others.
        return None
