"""All or nothing: what memory held before it was written, to be put back where a write fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn

from initlint.fill.memory import plain
from initlint.records import InitlintError
from initlint.tracing.build import described


class Copies:
    """Copies of memory, taken piece by piece before each piece is written.

    They lie on the device of what they copy, or on the CPU where that has no room for them. Memory
    that held nothing before needs none.
    """

    def __init__(self, needed: bool = True) -> None:
        self._needed = needed
        self._before: list[tuple[torch.Tensor, torch.Tensor]] = []

    def keep(self, target: torch.Tensor) -> None:
        """Copy what `target` holds now; threads may do so at once, each for pieces of its own."""
        if self._needed:
            memory = plain(target)
            self._before.append((memory, _copied(memory)))

    def put_back(self) -> None:
        """Write everything back, the latest first; an interrupt meanwhile does not end it."""
        with torch.no_grad():
            while self._before:
                with contextlib.suppress(KeyboardInterrupt):
                    memory, before = self._before[-1]
                    memory.copy_(before)
                    self._before.pop()


@contextlib.contextmanager
def all_or_nothing(agreed: Callable[[], object] = bool) -> Iterator[Copies]:
    """Restore the copied values if anything is raised, also on an interrupt.

    Errors become InitlintErrors that say so; interrupts and exits are raised unchanged. `agreed`
    is called at the end, and raises if another rank has failed.
    """
    copies = Copies()
    try:
        yield copies
        agreed()
    except BaseException as error:
        copies.put_back()
        if not isinstance(error, Exception):
            raise
        reason = str(error) if isinstance(error, InitlintError) else described(error)
        done = "" if "nothing was changed" in reason else "; nothing was changed"
        raise InitlintError(f"{reason}{done}") from error


@contextlib.contextmanager
def same_random_state(model: nn.Module) -> Iterator[None]:
    """Keep the state of torch's generators, on the CPU and on the model's device."""
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):
        yield


@contextlib.contextmanager
def drawing_undone(seed: object) -> Iterator[None]:
    """Put torch's default generator back where no `seed` was given and something is raised."""
    before = torch.get_rng_state() if seed is None else None
    try:
        yield
    except BaseException:
        if before is not None:
            torch.set_rng_state(before)
        raise


def _copied(memory: torch.Tensor) -> torch.Tensor:
    try:
        return memory.clone()
    except torch.OutOfMemoryError:
        return memory.cpu()
