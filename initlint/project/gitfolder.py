"""The folders in which git keeps a repository, and what in them would keep a reader waiting."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from initlint.records import InitlintError
from initlint.safe.regular import kind_of, read_regular

# The most bytes of a file that only names folders.
_NAMES = 100_000
# More is no repository, but a disk to which a link of it leads.
_MOST_ENTRIES = 1_000_000


def metadata_folders(start: Path) -> list[Path]:
    """Where git keeps the repository around a folder; empty if there is none.

    These are `.git` or what a file of that name points to, or a bare repository; the folder that
    several worktrees have in common; and folders of objects elsewhere.
    """
    for folder in (start, *start.parents):
        here = folder / ".git"
        if here.is_dir():
            own = here
        elif os.path.lexists(here):
            text = _text(here)
            own = folder / text.removeprefix("gitdir:").strip()
        elif (folder / "objects").is_dir() and (folder / "refs").is_dir():
            own = folder
        else:
            continue
        common = own / _text(own / "commondir").strip()
        return _with_alternates([own, common])
    return []


def _with_alternates(found: list[Path]) -> list[Path]:
    """The folders, and those of objects that they name, and these in turn."""
    objects = [folder / "objects" for folder in found]
    for folder in objects:
        lines = _text(folder / "info/alternates").splitlines()
        objects += [folder / line for line in lines if folder / line not in objects]
        if len(objects) > _NAMES:
            break
    return [*found, *objects]


def refuse_waiting(folders: Iterable[Path]) -> None:
    """Raise InitlintError for a pipe or a device below a folder: reading it may never end."""
    pending, seen, count = list(folders), set(), 0
    while pending:
        place = pending.pop()
        try:
            status = place.stat()
            entries = list(os.scandir(place))
        except (OSError, ValueError):
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        count += len(entries)
        if count > _MOST_ENTRIES:
            raise InitlintError(f"{place}: git keeps too many files there")
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                refuse_kind(Path(entry.path))
                pending.append(Path(entry.path))


def refuse_kind(path: Path) -> None:
    """Raise InitlintError for a pipe or a device, or a link to one."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise InitlintError(f"{path}: it is {kind_of(mode)}, not a file; remove it")


def _text(file: Path) -> str:
    """The text of a file; empty if there is none, or if it is none that git would write."""
    refuse_kind(file)
    try:
        return os.fsdecode(read_regular(str(file), _NAMES))
    except (OSError, ValueError):
        return ""
