"""Writes a whole file or nothing, and never through a link that somebody else made."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from initlint.records import InitlintError

# What initlint reads: a report in its place would be the end of it.
_CODE = (".py", ".ipynb")


def write_whole(out: str, data: bytes, option: str) -> None:
    """Write a file, or leave the old one. Raises InitlintError that names the option."""
    with replacing(out, option) as new:
        Path(new).write_bytes(data)


@contextlib.contextmanager
def replacing(out: str, option: str) -> Iterator[str]:
    """Give the path of a file to write, which takes the place of `out` at the end.

    If anything is raised meanwhile, `out` stays as it was, or absent. Raises InitlintError, before
    the file is written, where `out` is not a name for a new or a regular file in a folder that can
    be written: symbolic links are refused, lest a link that somebody else committed decides what is
    overwritten.
    """
    target = Path(out)
    with _one_line(out, option):
        _refuse_kind(target, option)
        # A model that is built meanwhile may change the working directory.
        target = target.absolute()
        folder = target.with_name(f".initlint-{secrets.token_hex(4)}")
        folder.mkdir(mode=0o700)
        try:
            new = folder / target.name
            yield str(new)
            new.chmod(_rights(target, folder))
            new.replace(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_place(out: str, option: str) -> None:
    """Raise InitlintError where a file of this name cannot be written, before there is one."""
    target = Path(out)
    with _one_line(out, option):
        _refuse_kind(target, option)
        if target.suffix in _CODE:
            raise InitlintError(f"{option} {target}: is a name of source code; give another one")
        if not os.access(target.parent, os.W_OK):
            raise InitlintError(f"{option} {target}: {target.parent} cannot be written to")


def _refuse_kind(target: Path, option: str) -> None:
    if "\0" in str(target):
        raise InitlintError(f"{option}: the name has a null character; cannot be written")
    if str(target) == "-":
        # A file of this name would be taken for the standard input from then on.
        raise InitlintError(f"{option} -: is no name of a file; leave {option} out, or name one")
    if target.is_symlink():
        aim = os.path.realpath(target)
        raise InitlintError(
            f"{option} {target}: is a symbolic link, which is not followed; name {aim}"
        )
    if target.exists() and not target.is_file():
        raise InitlintError(f"{option} {target}: is not a regular file; give another name")
    if not target.parent.is_dir():
        raise InitlintError(f"{option} {target}: there is no folder {target.parent}; make it first")


def _rights(target: Path, folder: Path) -> int:
    """Those of the file that is replaced; of a new one what the umask leaves."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    probe = folder / "rights"
    probe.touch(0o666)
    return stat.S_IMODE(probe.stat().st_mode)


@contextlib.contextmanager
def _one_line(out: str, option: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InitlintError(f"{option} {out}: cannot be written: {reason}") from error
