"""Finds files of the same project that may use or fill a model, to read them as well."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from initlint.project.config import Config, Settings
from initlint.project.discover import discover
from initlint.project.sourcefiles import NOTEBOOK, Texts, real
from initlint.reading.models.mentions import LOOKED_UP
from initlint.reading.sources.files import WORDS
from initlint.records import Finding, Layer
from initlint.safe.regular import limit_of, read_regular

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
    a model only if no other class uses it. Or it names any model, and may fill it; or makes it, as
    far as few files do. So do those that name what such a file makes of a model (an agent), and so
    on. They matter because a hook gets only the changed files. A project is the tree below the
    nearest folder with a pyproject.toml, a setup file or a repository; without one, the file's own
    folder.
    """
    known = {_place(path) for path in paths}
    found: dict[Path, str] = {}
    projects: dict[Path, list[str]] = {}
    strangers: dict[Path, list[str]] = {}
    accused = _homes(findings, paths, texts)
    every = _homes(layers, paths, texts)
    for path in dict.fromkeys((*accused, *every)):
        place = _place(path)
        if place.parent not in projects:
            others = ((other, _place(other)) for other in _project(path))
            projects[place.parent] = [other for other, its in others if its not in known]
        home = _imports(place)
        names = _with_makers(path, accused.get(path, ()))
        treated = _with_makers(path, every.get(path, ()))
        users = [other for other in projects[place.parent] if _uses(other, treated, home)]
        for other in projects[place.parent]:
            is_told = len(users) <= _FEW_USERS and other in users
            if is_told or (names and _uses(other, names, home)) or _fills(other, treated, home):
                found[_place(other)] = other
        makers = [other for other in found.values() if other in users][:_FEW_USERS]
        more = list(_further(makers, treated, projects[place.parent]))
        if names:
            if place.parent not in strangers:
                strangers[place.parent] = _of_strangers(projects[place.parent])
            more += strangers[place.parent]
        found |= {_place(other): other for other in more}
    return sorted(found.values())[:_READ]


def _with_makers(path: str, models: Collection[str]) -> list[bytes]:
    """The names of models, and of what makes them in their own file."""
    names = [model.encode() for model in models]
    return list(dict.fromkeys([*names, *_made_of(_bytes(path), names)])) if names else []


def _further(makers: Sequence[str], names: Sequence[bytes], files: Sequence[str]) -> Iterator[str]:
    """The files that use what some others make of the models of these names, and so on."""
    waiting = [(maker, names, 0) for maker in makers]
    seen = set(makers)
    while waiting:
        maker, made, hops = waiting.pop()
        agents = _made_of(_bytes(maker), made)
        home = _imports(_place(maker))
        users = [f for f in files if agents and f not in seen and _uses(f, agents, home)]
        if len(users) > _FEW_USERS or hops >= _MOST_HOPS:
            continue
        seen.update(users)
        yield from users
        waiting += [(user, agents, hops + 1) for user in users]


def _of_strangers(files: Sequence[str]) -> list[str]:
    """The files that look classes up by computed names, and those that use what these make.

    They name no class, and may fill models of any.
    """
    found = [file for file in files if _names_one(_bytes(file), _LOOKING_UP)]
    return [*found, *_further(found, _LOOKING_UP, files)] if len(found) <= _FEW_USERS else []


# What looks a class, or its module, up by a name that is known when the code runs.
_LOOKING_UP = (b"import_module", b"__import__", b"instantiate", b"globals")


def _made_of(text: bytes, names: Sequence[bytes]) -> list[bytes]:
    """The classes and functions at the top level of a file whose text has one of these names."""
    starts = list(_AT_TOP.finditer(text))
    ends = [*(match.start() for match in starts[1:]), len(text)]
    blocks = zip(starts, ends, strict=False)
    return [m[1] for m, end in blocks if _names_one(text[m.end() : end], names)]


_AT_TOP = re.compile(rb"^(?:class|(?:async )?def)[ \t]+(\w+)", re.MULTILINE)
# What more files use is a library's; of such a model its own file tells enough.
_FEW_USERS = 12
_MOST_HOPS = 3


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
        return read_regular(path, limit_of(path))
    except OSError:
        return b""


def _imports(place: Path) -> re.Pattern[bytes]:
    """An import from a file, from its package by name, or from the package that one is in.

    In a notebook, a line of code is a text.
    """
    words = b"|".join(re.escape(os.fsencode(w)) for w in (place.stem, place.parent.name) if w)
    line = (
        rb"^[ \t]*\"?(?:from|import)\b[^\n]*\b(?:" + words + rb")\b"
        rb"|^[ \t]*\"?from[ \t]+\.+[ \t]+import\b"
    )
    return re.compile(line, re.MULTILINE)


def _project(path: str) -> list[str]:
    """All Python files and notebooks of a file's project.

    Their paths are relative or absolute like the file's own.
    """
    place = _place(path)
    root = root_of(place.parent)
    if root is not None:
        found = discover([str(root)], Settings(Config())).files
    else:
        found = tuple(map(str, (*place.parent.glob("*.py"), *place.parent.glob("*.ipynb"))))
    files = [file for file in found if file.endswith((".py", NOTEBOOK))]
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
