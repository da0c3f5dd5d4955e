"""Work shared among copies of this process, which know all that it knows."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any


def forked(share: Callable[[int], Any], count: int, nothing: Any) -> list[Any]:
    """What `share(turn)` gives for each of `count` turns, the first of them worked out here.

    A turn whose process fails gives `nothing`.
    """
    children = [_begun(share, turn) for turn in range(1, count)]
    return [share(0), *(_ended(child, nothing) for child in children)]


def _begun(share: Callable[[int], Any], turn: int) -> tuple[int, int]:
    """A child at work: its number, and where its answer will come from."""
    answer, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, answer
    try:
        os.close(answer)
        with os.fdopen(writer, "wb") as file:
            pickle.dump(share(turn), file, pickle.HIGHEST_PROTOCOL)
    finally:
        # The parent's exit handlers must not run here.
        os._exit(0)


def _ended(child: tuple[int, int], nothing: Any) -> Any:
    number, answer = child
    try:
        with os.fdopen(answer, "rb") as file:
            return pickle.load(file)
    except (EOFError, pickle.UnpicklingError):
        return nothing
    finally:
        os.waitpid(number, 0)
