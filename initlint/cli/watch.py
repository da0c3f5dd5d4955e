"""`initlint check --watch`: checks again whenever a file changes, until someone presses Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import click

from initlint.cli import request as requests
from initlint.cli import terminal
from initlint.cli.request import Asked, Check
from initlint.output import phrases
from initlint.project import config
from initlint.records import InitlintError

# Seconds between two looks at the files.
_PAUSE = 0.5
# When a file was last changed and its size; None for one that is not there.
_Stamps = Mapping[str, tuple[int, int] | None]


def watch(
    request: Check,
    check: Callable[[Check], int],
    pause: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Call `check` at once and after every change; ends by KeyboardInterrupt alone.

    Raises InitlintError if the request makes no sense. One that ceases to make sense, because a
    settings file is being edited, is said once and checked again after the next change.
    """
    seen = _stamps(requests.asked(request))
    while True:
        number = phrases.counted(len(seen), "file")
        _checked(request, check)
        if not request.quiet:
            terminal.err(f"initlint: watching {number}; Ctrl-C ends.")
        seen = _changed(request, seen, pause)
        if sys.stdout.isatty():
            click.clear()


def _checked(request: Check, check: Callable[[Check], int]) -> None:
    config.forget()
    try:
        check(request)
    except InitlintError as error:
        terminal.failed(str(error))


def _changed(request: Check, seen: _Stamps, pause: Callable[[float], None]) -> _Stamps:
    """The stamps of all files as soon as they differ from those that were seen."""
    while True:
        pause(_PAUSE)
        config.forget()
        try:
            now = _stamps(requests.asked(request))
        except InitlintError:
            # The check says why. Until then the same files count, changed or not.
            now = {path: _stamp(path) for path in seen}
        if now != seen:
            return now


def _stamps(asked: Asked) -> _Stamps:
    """The stamps of the files that are checked, and of those with settings and known findings."""
    files = [*asked.targets.files, *map(_file_of, asked.targets.models)]
    settings = [asked.settings.here(), *map(asked.settings.of, asked.targets.files)]
    beside = [one.file for one in settings] + [one.baseline_file() for one in settings]
    files += [str(path) for path in (*beside, asked.request.baseline) if path]
    return {path: _stamp(path) for path in dict.fromkeys(filter(None, files))}


def _file_of(model: str) -> str:
    """The file of a model that is named by one; "" for one that is named by a module."""
    path = model.rpartition(":")[0]
    return path if path.endswith(".py") else ""


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
