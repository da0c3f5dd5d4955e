"""A lock for one caller at a time: building and tracing change process-wide state."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
# A model's constructor, which runs under it, may itself call initlint.
_TURN = threading.RLock()


def alone(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let other threads wait until `function` returns.

    Patched functions of torch, caught warnings, the standard output, the random state and replaced
    source lines belong to the whole process: a second thread would see them, and restore the state
    that it found in the middle.
    """

    @functools.wraps(function)
    def waiting(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _TURN:
            return function(*args, **kwargs)

    return waiting
