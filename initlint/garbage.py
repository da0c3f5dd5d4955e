"""Work that makes many objects and little garbage, spared the collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

# With more new objects than these the collector is not let loose on them at once.
_MANY = 200_000
_left_over = False


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No collection of garbage while it lasts: with a large model alive each takes a tenth of a
    second, and there is little to collect."""
    was_enabled = gc.isenabled()
    _collect_left_over()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            _age()
            gc.enable()


def _age() -> None:
    """Let the objects that are alive count as old, if they are many.

    The first collection would go through all that are young, which takes as long as parsing did.
    Most processes end before they need the memory.
    """
    global _left_over
    if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
        _left_over = True


def _collect_left_over() -> None:
    """Old objects are seldom collected: here, lest those of one piece of work add to another's."""
    global _left_over
    if _left_over:
        _left_over = False
        gc.collect()
