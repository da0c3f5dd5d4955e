"""Which norms were given their eps by its place among the arguments, and what it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from initlint.tracing.loads import replaced
from initlint.tracing.places import TORCH, caller

# The classes that define the constructors of all norms, with the place of eps after the module.
_CONSTRUCTORS: tuple[tuple[type[nn.Module], int], ...] = (
    (nn.modules.batchnorm._BatchNorm, 1),
    (nn.modules.instancenorm._InstanceNorm, 1),
    (nn.SyncBatchNorm, 1),
    (nn.LayerNorm, 1),
    (nn.GroupNorm, 2),
    (nn.RMSNorm, 1),
)


class Norms:
    """The eps of every norm to which the user's code gave it by place."""

    def __init__(self) -> None:
        # Holding the module keeps its identity from being given away.
        self._given: dict[int, tuple[nn.Module, float]] = {}

    def eps(self, module: nn.Module) -> float | None:
        """The eps of a norm, None if it was given by name or not at all."""
        return self._given.get(id(module), (module, None))[1]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts, the norms that are made are noted."""
        with contextlib.ExitStack() as patches:
            for kind, place in _CONSTRUCTORS:
                patches.enter_context(replaced(kind, "__init__", self._noting(place)))
            yield

    def _noting(self, place: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
        def noting(original: Callable[..., None]) -> Callable[..., None]:
            def construct(module: nn.Module, *args: Any, **kwargs: Any) -> None:
                by_torch = caller(1).f_code.co_filename.startswith(TORCH)
                given = args[place] if len(args) > place and not by_torch else None
                if isinstance(given, (bool, int, float)):
                    self._given[id(module)] = module, given
                original(module, *args, **kwargs)

            return construct

        return noting
