"""Attempts: work on the code of a file that may fail or be too much, which is listed as a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from initlint.reading.abstract.frames import Frame, ImpossibleError
from initlint.reading.budget import TooMuchError
from initlint.reading.reader import Reader
from initlint.reading.sources.resolve import Module
from initlint.records import Unanalysed

# How a gap is worded where the code that is read raises an error.
RAISES = "raises an error, as far as it can be read"


def _nothing() -> str:
    return ""


class Attempts:
    """Runs pieces of work; `gaps` has the classes and functions that were given up, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.gaps: dict[str, Unanalysed] = {}

    def run(
        self,
        module: Module,
        name: str,
        work: Callable[..., Any],
        *args: Any,
        raises: Callable[[], str] = _nothing,
    ) -> Any:
        """The result of a piece of work; None, and a gap, if it exceeds the budget or fails.

        `raises` says what the gap is if the code that is read raises an error: nothing by default,
        since a factory may need arguments that it was not given.
        """
        try:
            with _Alone(self._reader, module):
                result = work(*args)
                if self._reader.unfollowed:
                    self.give_up(module.path, name, self._reader.unfollowed)
                return result
        except ImpossibleError:
            reason = raises()
        except TooMuchError as error:
            reason = str(error)
        except RecursionError:
            reason = "gave up at code that is nested, or calls itself, too deeply"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            reason += " (a bug in initlint; the rest was checked)"
        if reason:
            self.give_up(module.path, name, reason)
        return None

    def give_up(self, path: str, name: str, reason: str, unseen: bool = False) -> None:
        """List a class or function as not analysed; the first reason is kept."""
        target = f"{path}:{name}"
        gap = Unanalysed(target, f"{path}: {name}: {reason}", unseen=unseen)
        self.gaps.setdefault(target, gap)


class _Alone:
    """Resets the reader to the top level of a file."""

    def __init__(self, reader: Reader, module: Module) -> None:
        self._reader, self._module = reader, module

    def __enter__(self) -> None:
        reader = self._reader
        reader.frames[:] = [Frame(self._module)]
        reader.active.clear()
        reader.unfollowed = ""
        reader.constructing, reader.arms = None, ()
        reader.budget.begin()

    def __exit__(self, *_: object) -> None:
        self._reader.frames.clear()
        self._reader.constructing = None
