"""The cache folder of the user, which the trees that are read cannot change.

A tree that is read can contain links, and files with any content and name. So links are not
followed, only files made here are deleted, and only entries are used that are signed with a key
that no tree can know.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path

from initlint.project.neighbours import root_of
from initlint.safe.regular import read_regular

VARIABLE = "INITLINT_CACHE_DIR"
_KEY = "cache.key"
_SIZE_OF_KEY = 32
_MARK = 64
# Larger entries are read anew.
LARGEST = 64_000_000
# The most entries of a project; older ones belong to earlier states of the files.
MOST = 16
_MOST_PROJECTS = 64
_OURS = re.compile(r"[0-9a-f]{32}\.(?:json|tmp)")
_PROJECT = re.compile(r"[0-9a-f]{32}")
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class Folder:
    """The entries of one project, behind an open descriptor: no path leads elsewhere any more."""

    def __init__(self, descriptor: int, key: bytes) -> None:
        self._descriptor, self._key = descriptor, key

    def read(self, name: str) -> bytes | None:
        """The entry of this name; None if there is none, or if initlint did not make it."""
        try:
            data = read_regular(name, LARGEST, follow=False, within=self._descriptor)
        except OSError:
            return None
        mark, body = data[:_MARK], data[_MARK:]
        return body if compare_digest(mark, self._mark(name, body)) else None

    def write(self, name: str, body: bytes) -> None:
        """Keep an entry as a whole, and drop the oldest but the last `MOST`."""
        if len(body) + _MARK <= LARGEST:
            _write(self._descriptor, name, self._mark(name, body) + body)
            _drop_oldest(self._descriptor, MOST)

    def _mark(self, name: str, body: bytes) -> bytes:
        """In which name and content are bound: an entry is of no use under another name."""
        digest = blake2b(name.encode() + b"\0" + body, key=self._key, digest_size=_MARK // 2)
        return digest.hexdigest().encode()


@contextmanager
def of_project() -> Iterator[Folder | None]:
    """The folder of the project around the working directory; None where none can be had."""
    with ExitStack() as stack:
        folder = None
        with contextlib.suppress(OSError, ValueError):
            folder = _opened(stack)
        yield folder


def _opened(stack: ExitStack) -> Folder:
    """Raises OSError where the folder or the key cannot be made, or is not the user's alone."""
    if not {os.open, os.mkdir, os.stat, os.unlink, os.rename, os.rmdir} <= os.supports_dir_fd:
        raise OSError("folders cannot be held open here")
    import platformdirs

    here = Path.cwd().resolve()
    root = root_of(here) or here
    state = platformdirs.user_state_path("initlint")
    if state.resolve().is_relative_to(root):
        raise OSError("what is read could bring the key with it")
    key = _key(stack.enter_context(_folder(_parents_made(state))))
    base = Path(os.environ.get(VARIABLE) or platformdirs.user_cache_path("initlint")).absolute()
    around = stack.enter_context(_folder(_parents_made(base)))
    name = blake2b(os.fsencode(root), digest_size=16).hexdigest()
    project = stack.enter_context(_folder(name, around))
    _drop_projects(around, name)
    return Folder(project, key)


def _parents_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _folder(path: str | Path, within: int | None = None) -> Iterator[int]:
    """A folder, made if need be; raises OSError for a link, or where others can write."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700, dir_fd=within)
    descriptor = os.open(path, _OPEN_FOLDER, dir_fd=within)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError("others can write to the folder of the cache")
        yield descriptor
    finally:
        os.close(descriptor)


def _key(folder: int) -> bytes:
    """The user's key, made at its first use and readable only by the user."""
    try:
        status = os.stat(_KEY, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        _write(folder, _KEY, secrets.token_bytes(_SIZE_OF_KEY))
        status = os.stat(_KEY, dir_fd=folder, follow_symlinks=False)
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError("others can read the key of the cache")
    key = read_regular(_KEY, _SIZE_OF_KEY, follow=False, within=folder)
    if len(key) != _SIZE_OF_KEY:
        raise OSError("the key of the cache is broken")
    return key


def _write(folder: int, name: str, data: bytes) -> None:
    """Write a file under a temporary name, then replace the old one."""
    temporary = f"{secrets.token_hex(16)}.tmp"
    descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


def _drop_oldest(folder: int, most: int) -> None:
    """Delete the files with names of ours, but for the newest `most`."""
    for name in _newest_first(folder, _OURS, stat.S_ISREG)[most:]:
        os.unlink(name, dir_fd=folder)


def _drop_projects(around: int, but: str) -> None:
    """Empty and delete the folders of the projects that were not read for the longest time."""
    for name in _newest_first(around, _PROJECT, stat.S_ISDIR)[_MOST_PROJECTS:]:
        if name != but:
            with contextlib.suppress(OSError), _folder(name, around) as descriptor:
                _drop_oldest(descriptor, 0)
                os.rmdir(name, dir_fd=around)


def _newest_first(folder: int, names: re.Pattern[str], is_kind: Callable[[int], bool]) -> list[str]:
    """The files (or folders) with a name that initlint gives; links are neither."""
    found = []
    for name in filter(names.fullmatch, os.listdir(folder)):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if is_kind(status.st_mode):
            found.append((status.st_mtime_ns, name))
    return [name for _, name in sorted(found, reverse=True)]
