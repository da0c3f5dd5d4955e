"""Opens files that others wrote: regular ones alone, and no more of them than a stated size."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# Beyond these a file is data, not what its name says.
SOURCE = 20_000_000
NOTEBOOK = 100_000_000
SETTINGS = 1_000_000
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a link"),
)
# A pipe that takes the place of the file after the look at it must not be waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_CHUNK = 1 << 20


def read_regular(
    path: str | os.PathLike[str], limit: int, follow: bool = True, within: int | None = None
) -> bytes:
    """The bytes of the regular file at `path`, at most `limit` of them.

    A relative path starts from the folder that the descriptor `within` is of, if one is given.

    Raises OSError, whose `strerror` is the reason, for everything else: a folder, a pipe, a
    device, a socket, a larger or an endless file, a name that cannot be one, and, unless
    `follow`, a link. Nothing but a regular file is opened, since opening a device may do something.
    """
    try:
        _require_regular(os.stat(path, dir_fd=within, follow_symlinks=follow), limit)
        links = 0 if follow else getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, _FLAGS | links, dir_fd=within)
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no name of a file ({error})") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _require_regular(status, limit)
        # Files of /proc have the size 0, and some never end.
        if not status.st_size and os.read(descriptor, 1):
            raise OSError(errno.EINVAL, "it says that it is empty, and is not")
        return read_bounded(file, limit)


def read_bounded(file: BinaryIO, limit: int) -> bytes:
    """All that a stream holds; raises OSError once that is more than `limit` bytes."""
    found = bytearray()
    while chunk := file.read(min(_CHUNK, limit + 1 - len(found))):
        found += chunk
        if len(found) > limit:
            raise _too_large(limit)
    return bytes(found)


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder; False for one that the system refuses to look up (too long)."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: str | Path) -> bool:
    """Whether a path is a regular file; False for one that the system refuses to look up."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def limit_of(path: str) -> int:
    """How large a file of source code may be, by its name."""
    return NOTEBOOK if path.endswith(".ipynb") else SOURCE


def kind_of(mode: int) -> str:
    """The kind of a path that is not a regular file, from its mode."""
    return next((name for test, name in _KINDS if test(mode)), "something else")


def _require_regular(status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is {kind_of(status.st_mode)}, not a file")
    if status.st_size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit // 1_000_000} MB")
