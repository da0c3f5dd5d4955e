"""Files in which a run found nothing: while nothing has changed, it is said again, without a look.

Only what is imported here stands between the interpreter's start and the answer.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

from initlint import __version__

FOLDER = os.path.join(".initlint_cache", "clean")
_QUIET = ("-q", "--quiet")
_CONFIG = "pyproject.toml"
# Older entries than these are of states of the files that nobody goes back to.
_MOST = 256
_is_alone = True


def depends_on_more() -> None:
    """What this run finds depends on other files than those it was given."""
    global _is_alone
    _is_alone = False


def entry_of(argv: Sequence[str]) -> str | None:
    """Where it is kept what a run said that found nothing; None where that is not kept.

    It is for runs that check Python files by name and ask for nothing else. The name of an entry is
    a hash of all that the answer depends on: the arguments, the files, the settings above them, and
    initlint and Python themselves.
    """
    paths = [argument for argument in argv[1:] if argument not in _QUIET]
    if argv[:1] != ["check"] or not paths or not all(map(_is_python_file, paths)):
        return None
    # Other commands, --help among them, need not wait for it.
    from hashlib import blake2b

    digest = blake2b(digest_size=16)
    try:
        for part in (*_circumstances(argv), *_settings(paths), *map(_content, paths)):
            digest.update(b"%d\0" % len(part))
            digest.update(part)
    except OSError:
        return None
    return os.path.join(FOLDER, digest.hexdigest())


def said_before(entry: str) -> str | None:
    """What a run of this entry wrote to stderr; None if there was none."""
    try:
        return _content(entry).decode()
    except (OSError, UnicodeDecodeError):
        return None


def remember(entry: str, said: str) -> None:
    """Keep what a run said that found nothing, unless that depends on more than its entry."""
    if not _is_alone:
        return
    from pathlib import Path

    from initlint.cache import kept

    with contextlib.suppress(OSError):
        kept(Path(entry), said, _MOST)


def _is_python_file(path: str) -> bool:
    return path.endswith(".py") and not path.startswith("-") and os.path.isfile(path)


def _circumstances(argv: Sequence[str]) -> Iterator[bytes]:
    """Who is asked what, and where."""
    for text in (__version__, sys.version, os.getcwd(), *argv):
        yield os.fsencode(text)
    package = os.path.dirname(__file__)
    beside = os.path.join(os.path.dirname(package), "rules")
    for folder in (package, beside):
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith((".py", ".toml", ".md")):
                    file = os.path.join(place, name)
                    yield os.fsencode(f"{file}\0{os.stat(file).st_mtime_ns}")


def _settings(paths: Sequence[str]) -> Iterator[bytes]:
    """Every file that may hold settings, above the files and where the run takes place."""
    folders: dict[str, None] = {}
    for start in (os.getcwd(), *map(os.path.dirname, map(os.path.abspath, paths))):
        folder = start
        while folder not in folders:
            folders[folder] = None
            folder = os.path.dirname(folder)
    for folder in folders:
        file = os.path.join(folder, _CONFIG)
        if os.path.isfile(file):
            yield os.fsencode(file)
            yield _content(file)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
