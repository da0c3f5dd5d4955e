"""Finds files of the same project that may use or fill a model, to read them as well."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from initlint.project.config import Config, Settings
from initlint.project.discover import discover
from initlint.project.sourcefiles import Texts, real
from initlint.reading.files import WORDS
from initlint.reading.mentions import LOOKED_UP
from initlint.records import Finding, Layer
from initlint.safe.regular import SOURCE, read_regular

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
# A project with more files than this is not searched: a hook must answer in a second.
_MOST = 10_000
# More files than these are not read along.
_READ = 200


def neighbours(
    paths: Sequence[str], findings: Sequence[Finding], layers: Sequence[Layer], texts: Texts
) -> list[str]:
    """Files in the projects of `paths`, other than `paths`, that may decide about their models.

    Such a file names a model with `findings`, or looks up a computed name in its module: a class is
    a model only if no other class uses it. Or it names any model, and may fill it. They matter
    because a hook gets only the changed files. A project is the tree below the nearest folder with
    a pyproject.toml, a setup file or a repository; without one, the file's own folder.
    """
    known = {_place(path) for path in paths}
    found: dict[Path, str] = {}
    projects: dict[Path, list[str]] = {}
    accused = _homes(findings, paths, texts)
    every = _homes(layers, paths, texts)
    for path in dict.fromkeys((*accused, *every)):
        place = _place(path)
        if place.parent not in projects:
            others = ((other, _place(other)) for other in _project(path))
            projects[place.parent] = [other for other, its in others if its not in known]
        home = _imports(place)
        names = [model.encode() for model in accused.get(path, ())]
        treated = [model.encode() for model in every.get(path, ())]
        for other in projects[place.parent]:
            if (names and _uses(other, names, home)) or _fills(other, treated, home):
                found[_place(other)] = other
    return sorted(found.values())[:_READ]


# Code that may fill a model. Whether it does is found out by reading the file.
_FILLING = re.compile(rb"\.apply\(|init|\.(?:normal_|uniform_|load_state_dict)\(|\.data\b")


def _fills(path: str, names: Sequence[bytes], home: re.Pattern[bytes]) -> bool:
    """Whether a file imports from where a class is, names it, and may fill a model."""
    text = _bytes(path)
    return bool(names and _FILLING.search(text) and _names_one(text, names) and home.search(text))


def _homes(
    records: Sequence[Finding] | Sequence[Layer], paths: Sequence[str], texts: Texts
) -> dict[str, set[str]]:
    """The models of these records, by the files that define them.

    A layer may be in another file than its model.
    """
    found: dict[str, set[str]] = {}
    homes: dict[tuple[str, str], str] = {}
    defined: dict[str, frozenset[bytes]] = {}
    for record in records:
        if record.site is None:
            continue
        # Of models that are called alike in several files the file is part of the name.
        key = (record.model.rpartition(":")[2], record.site.path)
        if key not in homes:
            model, path = key
            homes[key] = _home(model, [path, *paths], defined, texts) if _is_file(path) else ""
        if homes[key]:
            found.setdefault(homes[key], set()).add(key[0])
    return found


def _is_file(path: str) -> bool:
    return Path(path).is_file()


_DEFINES = re.compile(rb"^[ \t]*(?:class|def)[ \t]+(\w+)", re.MULTILINE)


def _home(
    model: str, paths: Sequence[str], defined: dict[str, frozenset[bytes]], texts: Texts
) -> str:
    """The first of `paths` that defines the class or function `model`, else the first of all.

    `defined` keeps what the files define.
    """
    for path in paths:
        if path not in defined:
            defined[path] = frozenset(_DEFINES.findall(texts.python(path)))
        if model.encode() in defined[path]:
            return path
    return paths[0]


def _bytes(path: str) -> bytes:
    try:
        return read_regular(path, SOURCE)
    except OSError:
        return b""


def _imports(place: Path) -> re.Pattern[bytes]:
    """An import from a file, from its package by name, or from the package that one is in."""
    words = b"|".join(re.escape(os.fsencode(w)) for w in (place.stem, place.parent.name) if w)
    line = (
        rb"^[ \t]*(?:from|import)\b[^\n]*\b(?:" + words + rb")\b|^[ \t]*from[ \t]+\.+[ \t]+import\b"
    )
    return re.compile(line, re.MULTILINE)


def _project(path: str) -> list[str]:
    """All Python files of a file's project, with relative or absolute paths like the file's own."""
    place = _place(path)
    root = root_of(place.parent)
    if root is not None:
        found = discover([str(root)], Settings(Config())).files
    else:
        found = tuple(map(str, place.parent.glob("*.py")))
    files = [file for file in found if file.endswith(".py")]
    if len(files) > _MOST:
        return []
    return files if Path(path).is_absolute() else [os.path.relpath(file) for file in files]


def root_of(folder: Path) -> Path | None:
    """The nearest folder around a place, or the place itself, that is the root of a project."""
    around = (folder, *folder.parents)
    return next((f for f in around if any((f / mark).exists() for mark in _MARKS)), None)


def _uses(path: str, names: Sequence[bytes], home: re.Pattern[bytes]) -> bool:
    """Whether a file imports from where a class is, and names one of `names` or looks names up."""
    text = _bytes(path)
    looks_up = b"getattr(" in text and LOOKED_UP.search(text)
    return bool((looks_up or _names_one(text, names)) and home.search(text))


# So many names are looked for one after the other, which is faster than to look at every word.
_FEW = 16


def _names_one(text: bytes, names: Sequence[bytes]) -> bool:
    if len(names) > _FEW:
        return not set(names).isdisjoint(WORDS.findall(text))
    # A search for plain bytes is several times as fast, and most files end here.
    held = [name for name in names if name in text]
    words = rb"|".join(map(re.escape, held))
    return bool(held and re.search(rb"\b(?:" + words + rb")\b", text))


def _place(path: str) -> Path:
    return Path(real(path))
