"""Runs the user's code in this process: exceptions become one line, changes to the process are
undone."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from initlint.tracing.process import restored

_LONGEST = 500
# How many `foreign` blocks watch for SIGINT at present, and whether one came.
_watching: list[bool] = []
# The working directories in which `foreign` blocks were entered.
_folders: list[Path | None] = []


class ForeignError(Exception):
    """The user's code raised a non-Exception: SystemExit, KeyboardInterrupt, GeneratorExit."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(text_of(cause))
        self.cause = cause


@contextlib.contextmanager
def foreign() -> Iterator[None]:
    """Run the user's code: no warnings, prints go to stderr, and the process is restored.

    Raises ForeignError for a non-Exception. Raises KeyboardInterrupt only if the user sent SIGINT,
    even if the code swallowed it.
    """
    _folders.append(_present_folder())
    try:
        with interrupts_noted(), restored(), quiet():
            with contained():
                yield
            if _interrupted():
                raise KeyboardInterrupt
    finally:
        _folders.pop()


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Raise a non-Exception as ForeignError, so that `except Exception` catches it.

    An interrupt that the user sent stays KeyboardInterrupt.
    """
    try:
        yield
    except BaseException as error:
        if _interrupted():
            raise KeyboardInterrupt from error
        if isinstance(error, Exception) or not _is_foreign(error):
            raise
        raise ForeignError(error) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The user's own warnings and prints are not initlint's findings: prints go to stderr."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def working_folder() -> Path | None:
    """The user's working directory, even if a model's code changed it; None if it was removed."""
    return _folders[0] if _folders else _present_folder()


def _present_folder() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def text_of(value: Any) -> str:
    """`str(value)` as one line of bounded length, of whatever the user's class makes of it."""
    try:
        with contained():
            # join turns an instance of the user's str subclass into a plain str.
            text = "".join([str(value)])[: 2 * _LONGEST]
    except Exception as error:
        return f"({kind_of(value)}, whose __str__ raises {kind_of(error)})"
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " …"


def kind_of(value: object) -> str:
    """The name of a value's class, without calling the user's metaclass."""
    found = value.cause if isinstance(value, ForeignError) else value
    return str(type.__dict__["__name__"].__get__(type(found)))


def asked(question: Callable[[], Any], otherwise: Any) -> Any:
    """The result of `question`, which may run the user's code; `otherwise` if it raises."""
    try:
        with contained():
            return question()
    except Exception:
        return otherwise


def _is_foreign(error: BaseException) -> bool:
    """Whether an exception cannot be the user's interrupt: all others are, while none watches."""
    watched = bool(_watching) or threading.current_thread() is not threading.main_thread()
    return watched or not isinstance(error, KeyboardInterrupt)


def _interrupted() -> bool:
    return any(_watching)


@contextlib.contextmanager
def interrupts_noted() -> Iterator[None]:
    """While it lasts, a SIGINT is noted before the handler that was there raises for it.

    The outermost block does this. Handlers run in the main thread alone.
    """
    here = threading.current_thread() is threading.main_thread()
    if _watching or not here:
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        _watching[0] = True
        if callable(before):
            before(number, frame)

    _watching.append(False)
    try:
        if callable(before):
            signal.signal(signal.SIGINT, note)
        yield
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)
        _watching.clear()
