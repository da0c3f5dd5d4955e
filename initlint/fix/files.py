"""Rewritten files to disk, all or nothing, and as patches."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from initlint.fix.kept import NotKeptError, put_off, take_over
from initlint.records import InitlintError
from initlint.safe.regular import read_regular
from initlint.safe.shown import STEERING

# What git writes in octal in the name of a file, byte by byte.
_QUOTED = re.compile(rf'[{STEERING}"\\]')
_CHANGED = "changed since it was read; run again"
_NO_NEWLINE = "\\ No newline at end of file\n"


def write_atomically(path: str | Path, old: bytes, new: bytes, place: str | None = None) -> None:
    """Replace the content `old` of a file by `new`; if killed, the file has one or the other.

    Mode bits, owner, group and extended attributes (ACLs among them) are kept; a symbolic link
    stays, and the file that it leads to is replaced. Raises InitlintError, with the file as it was
    and nothing left beside it, where it is missing, read-only, has hard links, or no longer holds
    `old`, where its folder cannot be written, or where something of it cannot be kept. So it does
    where the path no longer leads to `place`. A file that holds `new` already is left alone.
    """
    try:
        target = Path(path).resolve(strict=True)
        status = target.stat()
        if str(target) != (place or str(target)) or not stat.S_ISREG(status.st_mode):
            raise InitlintError(f"{path}: {_CHANGED}")
        if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
            raise InitlintError(f"{path}: the file is read-only; make it writable and run again")
        if status.st_nlink > 1:
            why = f"it has {status.st_nlink} names (hard links), and a new file would have one"
            raise InitlintError(f"{path}: {why}; copy it over itself and run again")
        with put_off(), _kept(path):
            if not _replace(target, status, old, new):
                raise InitlintError(f"{path}: {_CHANGED}")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InitlintError(f"{path}: cannot be written: {reason}") from error


def _replace(target: Path, status: os.stat_result, old: bytes, new: bytes) -> bool:
    """Replace a file's contents; False, with nothing done, if it does not hold `old`."""
    # Not after the file's own name, which may be as long as a name can be.
    descriptor, name = tempfile.mkstemp(".tmp", ".initlint-", target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            take_over(file.fileno(), target, status)
            os.fsync(file.fileno())
        # As late as can be: what someone saves while we think must not be lost.
        held = _held(target, max(len(old), len(new)))
        if held == new:
            # Another run was faster.
            return True
        if held != old:
            return False
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return True


def _held(target: Path, most: int) -> bytes | None:
    """The present content of a file; None if it has more than `most` bytes or is not a file."""
    try:
        return read_regular(target, most, follow=False)
    except OSError as error:
        if error.errno in (errno.EFBIG, errno.EINVAL, errno.ELOOP):
            return None
        raise


@contextlib.contextmanager
def _kept(path: str | Path) -> Iterator[None]:
    """Name the file where something of it cannot be kept."""
    try:
        yield
    except NotKeptError as error:
        raise InitlintError(f"{path}: {error}") from error


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power failure, where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unified_diff(path: str | Path, old: bytes, new: bytes) -> str:
    """A patch from `old` to `new` that `git apply` takes in the working directory; "" if equal.

    Bytes that are no UTF-8 come as surrogate escapes: written with `errors="surrogateescape"`,
    the patch is exact for every encoding.
    """
    before, after = _patch_lines(old), _patch_lines(new)
    name = _patch_name(Path(path))
    lines = difflib.unified_diff(before, after, _header(f"a/{name}"), _header(f"b/{name}"))
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


def _patch_lines(source: bytes) -> list[str]:
    """Lines as git sees them: a carriage return or form feed is part of the line."""
    parts = source.decode("utf-8", "surrogateescape").split("\n")
    lines = [f"{part}\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _header(name: str) -> str:
    """A name as git writes it in a patch: quoted where it has characters that would end it."""

    def octal(found: re.Match[str]) -> str:
        return "".join(f"\\{byte:03o}" for byte in os.fsencode(found[0]))

    if _QUOTED.search(name):
        return '"' + _QUOTED.sub(octal, name) + '"'
    # A tab ends a name with blanks.
    return f"{name}\t" if " " in name else name


def _patch_name(path: Path) -> str:
    absolute = path.absolute()
    here = Path.cwd()
    inside = absolute.relative_to(here) if absolute.is_relative_to(here) else absolute
    return inside.as_posix().lstrip("/")
