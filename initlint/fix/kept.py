"""Copies attributes from a replaced file to the new one, and delays signals meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class NotKeptError(Exception):
    """Something of the old file that the new one would not have."""


def take_over(descriptor: int, old: Path, status: os.stat_result) -> None:
    """Give a new file the owner, group, extended attributes and mode of the `old` one.

    Raises NotKeptError for what cannot be given.
    """
    # Windows has none of these; there the new file has the folder's rights.
    if hasattr(os, "fchown"):
        _take_owner(descriptor, status)
    # Python knows them under Linux only.
    if hasattr(os, "listxattr"):
        _take_attributes(descriptor, old)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _take_owner(descriptor: int, status: os.stat_result) -> None:
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (status.st_uid, status.st_gid):
        raise NotKeptError("it belongs to another user or group, and a new file would be yours")


def _take_attributes(descriptor: int, old: Path) -> None:
    name = ""
    try:
        wanted, present = _attributes(old), _attributes(descriptor)
        for name in present.keys() - wanted.keys():
            # An ACL that the folder gives to new files.
            os.removexattr(descriptor, name)
        for name, value in wanted.items():
            if present.get(name) != value:
                os.setxattr(descriptor, name, value)
    except OSError as error:
        what = f"its extended attributes cannot be kept{f' ({name})' if name else ''}"
        raise NotKeptError(f"{what}: {error.strerror}") from error


def _attributes(file: Path | int) -> dict[str, bytes]:
    """The extended attributes of a file; none if its file system has none."""
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    return {name: os.getxattr(file, name) for name in names}


@contextlib.contextmanager
def put_off() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP wait for the end, so that no temporary file stays behind."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread can; there the handlers stay what they are.
        yield
        return
    caught: list[int] = []
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    # None is a handler that was not set by Python, and could not be set again.
    known = {number: handler for number, handler in handlers.items() if handler is not None}
    for number in known:
        signal.signal(number, lambda received, _: caught.append(received))
    try:
        yield
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)
        for number in caught:
            signal.raise_signal(number)
