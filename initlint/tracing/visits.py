"""Which loops over modules and parameters, and which calls of `apply`, are running just now."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from initlint.tracing.loads import key_of, replaced
from initlint.tracing.places import TORCH, caller

_WALKS = (
    *("modules", "named_modules", "children", "named_children"),
    *("parameters", "named_parameters"),
)


@dataclass(slots=True, eq=False)
class _Visit:
    """A walk over the modules or parameters of `whole`; `item` is what it has reached."""

    whole: nn.Module
    item: Any = None


class Visits:
    """The walks that are running, outermost first."""

    def __init__(self) -> None:
        self._running: list[_Visit] = []

    def reached(self, tensor: torch.Tensor) -> tuple[int, bool]:
        """How many modules a walk visits to reach a parameter, and whether it is nested.

        0 if no walk has reached the parameter, or the module that holds it.
        """
        for visit in reversed(self._running):
            is_module = isinstance(visit.item, nn.Module)
            if not (_holds(visit.item, tensor) if is_module else _is_same(visit.item, tensor)):
                continue
            most = max(sum(1 for _ in each.whole.modules()) for each in self._running)
            is_inner = any(outer.item is visit.whole for outer in self._running)
            is_all = not is_module and not _holds(visit.whole, tensor)
            return most, is_inner and is_all
        return 0, False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts, the walks that the user's code begins are noted."""
        with contextlib.ExitStack() as patches:
            for name in _WALKS:
                patches.enter_context(replaced(nn.Module, name, self._noting_walk))
            patches.enter_context(replaced(nn.Module, "apply", self._noting_apply))
            yield

    def _noting_walk(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def walk(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            found = original(module, *args, **kwargs)
            # torch's own walks are made of one another.
            by_torch = caller(1).f_code.co_filename.startswith(TORCH)
            return found if by_torch else self._noted(module, found)

        return walk

    def _noted(self, module: nn.Module, items: Iterator[Any]) -> Iterator[Any]:
        visit = _Visit(module)
        self._running.append(visit)
        try:
            for item in items:
                visit.item = item[-1] if isinstance(item, tuple) else item
                yield item
        finally:
            self._running.remove(visit)

    def _noting_apply(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply(module: nn.Module, function: Callable[[nn.Module], Any]) -> Any:
            if caller(1).f_code.co_filename.startswith(TORCH):
                return original(module, function)
            visit = _Visit(module)

            def called(part: nn.Module) -> Any:
                visit.item = part
                return function(part)

            self._running.append(visit)
            try:
                return original(module, called)
            finally:
                self._running.remove(visit)

        return apply


def _holds(module: nn.Module, tensor: torch.Tensor) -> bool:
    return any(_is_same(held, tensor) for held in module._parameters.values())


def _is_same(held: Any, tensor: torch.Tensor) -> bool:
    """Whether two tensors share their memory."""
    return isinstance(held, torch.Tensor) and key_of(held) == key_of(tensor)
