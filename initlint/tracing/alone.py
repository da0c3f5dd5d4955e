"""One caller at a time: building and tracing change what a whole process has only once."""

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

    Patched functions of torch, caught warnings, the standard output, the random state and the
    lines of files that stand for others are all the process's own: a second thread would see them,
    and leave them as it found them in the middle.
    """

    @functools.wraps(function)
    def waiting(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _TURN:
            return function(*args, **kwargs)

    return waiting
