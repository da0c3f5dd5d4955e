"""Output of the command line: findings to stdout, all else to stderr; colour and width."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

import click

from initlint.records import InitlintError
from initlint.safe.shown import STEERING, escape, shown

if TYPE_CHECKING:
    from rich.progress import Progress

_PIPE_WIDTH = 160
# Elements that take a second to fill.
_LONG = 2**27

# Exit codes.
CLEAN, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130


def open_streams() -> None:
    """Replace standard streams that the caller has closed by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def out(text: str) -> None:
    """Write findings and tables."""
    _write(sys.stdout, text)


def aside(text: str) -> None:
    """Write findings to stderr, where stdout carries a file."""
    _write(sys.stderr, text)


def raw(data: bytes) -> None:
    """Write the bytes of a file or a patch unchanged; on a terminal, escape control characters.

    A pipe or a file needs every byte; a terminal would obey the control characters.
    """
    if sys.stdout.isatty():
        _write(sys.stdout, data.decode("utf-8", "surrogateescape"))
        return
    with _open_ended(sys.stdout):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def err(line: str) -> None:
    """Write one line that is no finding; what would end or steer it is escaped."""
    _write(sys.stderr, f"{shown(line)}\n")


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far work on `total` elements has come, where it takes seconds."""
    if not sys.stderr.isatty() or total < _LONG:
        yield lambda count: None
        return
    with click.progressbar(length=total, label="Initialising", file=sys.stderr) as bar:
        yield bar.update


# Seconds of work after which it is shown.
_PATIENCE = 2.0


class _Timer(Protocol):
    """What `working` needs of threading.Timer."""

    def start(self) -> None: ...
    def cancel(self) -> None: ...
    def join(self) -> None: ...


@contextlib.contextmanager
def working(
    what: str,
    quiet: bool = False,
    timer: Callable[[float, Callable[[], None]], _Timer] = threading.Timer,
) -> Iterator[None]:
    """Show on a terminal what is being done and for how long, once it has taken two seconds."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    begun: list[Progress] = []
    waiting = timer(_PATIENCE, lambda: begun.append(_begun(what)))
    waiting.start()
    try:
        yield
    finally:
        waiting.cancel()
        waiting.join()
        for progress in begun:
            progress.stop()


def _begun(what: str) -> Progress:
    """A line on stderr that goes away when it is stopped."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    progress = Progress(
        *columns,
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    progress.add_task(shown(f"initlint: {what}"), total=None)
    progress.start()
    return progress


# What --color says: auto, always or never.
_color = "auto"


def set_colour(wanted: str) -> None:
    """Show colours always, never, or (auto) where the stream and the environment want them."""
    global _color
    _color = wanted


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` shows colours: NO_COLOR forbids, FORCE_COLOR demands, else a terminal."""
    if _color != "auto":
        return _color == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal that stdout is; a fixed number where it is none."""
    if not sys.stdout.isatty():
        return _PIPE_WIDTH
    import shutil

    return shutil.get_terminal_size((_PIPE_WIDTH, 50)).columns


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    harmless = _not_ours(wants_colour(stream)).sub(escape, text)
    with _open_ended(stream):
        stream.write(harmless.encode(encoding, "replace").decode(encoding))
        stream.flush()


def _not_ours(colour: bool) -> re.Pattern[str]:
    """Characters that steer, but for line ends, tabs and, with `colour`, the codes of colours.

    Fields are escaped where lines are put together; this is for one that was forgotten there.
    """
    kept = r"[\n\t]|\x1b\[[\d;]*m" if colour else r"[\n\t]"
    return re.compile(f"(?!{kept})[{STEERING}]")


@contextlib.contextmanager
def _open_ended(stream: TextIO) -> Iterator[None]:
    """Let the reader go away before the end; raises InitlintError for findings that are lost."""
    try:
        yield
    except OSError as error:
        # Whoever reads (head, a pager) may have seen enough: the verdict stands. The interpreter
        # must find nothing left to flush when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            reason = f"standard output cannot be written: {error.strerror or error}"
            raise InitlintError(reason) from error


def failed(reason: str) -> int:
    """Say in one line on stderr why the request could not be carried out."""
    err(f"initlint: error: {' '.join(reason.split())}")
    return FAILED
