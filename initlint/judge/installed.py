"""Finds the rules of installed packages: their entry points of the group `initlint.rules`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from initlint.judge.cards import wrong

GROUP = "initlint.rules"


class Source(NamedTuple):
    """A folder with rules, and the dotted name of the package that it is, if it is one."""

    folder: Path
    package: str = ""


def installed() -> Iterator[Source]:
    """The folders of rules that installed packages offer. Nothing of a package is imported."""
    places = _places()
    for place in places:
        for file in sorted(place.glob("*-info/entry_points.txt")):
            # Importing importlib.metadata takes longer than reading all these files.
            if GROUP.encode() in file.read_bytes():
                yield from _offered(file, places)


def _places() -> list[Path]:
    """Where packages are installed: the folders of sys.path, without the working directory.

    `python -m` adds the working directory there, and the code that is read must not add rules.
    """
    folders = [Path(entry) for entry in sys.path if entry]
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:
        # The working directory was removed, so relative folders do not exist.
        return [folder for folder in folders if folder.is_absolute()]
    return [folder for folder in folders if folder.resolve() != here]


def _offered(file: Path, places: Sequence[Path]) -> Iterator[Source]:
    """The folders that one package's entry_points.txt names."""
    from importlib.metadata import Distribution

    lines = file.read_text(encoding="utf-8").splitlines()
    for entry in Distribution.at(file.parent).entry_points.select(group=GROUP):
        source = _source(entry.module, places)
        if source is None or entry.attr:
            line = next((n for n, text in enumerate(lines, 1) if entry.value in text), 1)
            raise wrong(file, line, f"{entry.value} is not an installed package")
        yield source


def _source(module: str, places: Sequence[Path]) -> Source | None:
    """The folder of a package, or of the package that a module is part of; None if not there."""
    package, *rest = module.split(".")
    folders = _folders(package, places)
    while rest and (inner := [f / rest[0] for f in folders if (f / rest[0]).is_dir()]):
        folders, package, rest = inner, f"{package}.{rest[0]}", rest[1:]
    is_module = len(rest) == 1 and any((f / f"{rest[0]}.py").is_file() for f in folders)
    return Source(folders[0], package) if folders and (is_module or not rest) else None


def _folders(package: str, places: Sequence[Path]) -> list[Path]:
    """Where a package of the top level is, by the finders that import it.

    The working directory comes last: a package that is developed there may be installed as
    editable, and its metadata then lies in one of `places`.
    """
    for path in ([str(place) for place in places], sys.path):
        for finder in sys.meta_path:
            spec = finder.find_spec(package, path if finder is PathFinder else None)
            if spec is not None:
                return [Path(folder) for folder in spec.submodule_search_locations or ()]
    return []
