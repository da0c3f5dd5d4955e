"""Files of the same project that may use what is found fault with: to be read along with it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from initlint.config import Config, Settings
from initlint.discover import discover
from initlint.records import Finding

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
# A project with more files than this is not searched: a hook must answer in a second.
_MOST = 10_000


def neighbours(paths: Sequence[str], findings: Sequence[Finding]) -> list[str]:
    """Files beside `paths`, in their projects, that name a model of which `findings` speak.

    A class is a model of its own only where no other uses it; a hook is handed changed files
    alone. A project is what lies beneath the nearest folder with a pyproject.toml, a setup file or
    a repository; without one, it is the file's own folder.
    """
    sites = {f.site.path for f in findings if f.site and Path(f.site.path).is_file()}
    names = {re.escape(finding.model.encode()) for finding in findings}
    if not names or not sites:
        return []
    known = {_place(path) for path in paths}
    word = re.compile(rb"\b(?:" + b"|".join(sorted(names)) + rb")\b")
    found: dict[Path, str] = {}
    for path in sites:
        for other in _project(path):
            place = _place(other)
            if place not in known and place not in found and _mentions(other, word):
                found[place] = other
    return sorted(found.values())


def _project(path: str) -> list[str]:
    """All Python files of a file's project, named as it is: from here, or from the root."""
    place = _place(path)
    marked = [f for f in place.parents if any((f / mark).exists() for mark in _MARKS)]
    if marked:
        found = discover([str(marked[0])], Settings(Config())).files
    else:
        found = tuple(map(str, place.parent.glob("*.py")))
    files = [file for file in found if file.endswith(".py")]
    if len(files) > _MOST:
        return []
    return files if Path(path).is_absolute() else [os.path.relpath(file) for file in files]


def _mentions(path: str, word: re.Pattern[bytes]) -> bool:
    try:
        return word.search(Path(path).read_bytes()) is not None
    except OSError:
        return False


def _place(path: str) -> Path:
    return Path(path).resolve()
