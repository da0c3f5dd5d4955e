"""Finds the files of a project that others import, without importing them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from initlint.project.neighbours import root_of
from initlint.project.sourcefiles import Texts, real

# More files than these are not read along.
_MOST = 300
# Names that are libraries wherever they are imported, even if a folder is called so.
_LIBRARIES = {"torch", "numpy", "os", "sys", "math", "typing"}


def imported(paths: Sequence[str], texts: Texts) -> list[str]:
    """The files that `paths` import, directly or not, and that lie in the same projects.

    A name is looked for beside the importer and in the folders around it, up to the project's root.
    """
    known = {texts.place(path) for path in paths}
    found: list[str] = []
    waiting = list(paths)
    while waiting and len(found) < _MOST:
        path = waiting.pop()
        for other in _imported_by(path, texts):
            if texts.place(other) not in known:
                known.add(texts.place(other))
                found.append(other)
                waiting.append(other)
    return found[:_MOST]


def _imported_by(path: str, texts: Texts) -> Iterator[str]:
    folder = Path(path).parent
    here = Path(real(str(folder)))
    root = root_of(here) or here
    for level, dotted in _imports(texts.python(path)):
        if level:
            places = [folder.joinpath(*[".."] * (level - 1))]
        elif dotted[0] in _LIBRARIES:
            continue
        else:
            places = list(_up_to(folder, root))
        for place in places:
            candidate = _file_of(place, dotted, root)
            if candidate is not None:
                yield candidate
                break


_FROM = re.compile(
    rb"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)", re.MULTILINE
)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_NAME = re.compile(r"\w+")


def _imports(source: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The level and the dotted name of every module that a file may import."""
    for names in _IMPORT.findall(source):
        for name in names.decode("utf-8", "replace").split(","):
            dotted = name.partition(" as ")[0].strip()
            if dotted:
                yield 0, tuple(dotted.split("."))
    for dots, base, names in _FROM.findall(source):
        parts = tuple(base.decode("utf-8", "replace").split(".")) if base else ()
        if parts:
            yield len(dots), parts
        for name in names.decode("utf-8", "replace").strip("()").split(","):
            # It may be a module of a package, or a name in a module.
            first = _NAME.search(name)
            if first is not None:
                yield len(dots), (*parts, first[0])


def _up_to(folder: Path, root: Path) -> Iterator[Path]:
    """A folder and those around it, the root the last one."""
    place = folder
    for _ in range(len(Path(real(str(folder))).parts)):
        yield place
        if Path(real(str(place))) == root:
            return
        place = place / ".."


def _file_of(place: Path, dotted: tuple[str, ...], root: Path) -> str | None:
    """The file of a module below a folder; None for one that is not there, or lies elsewhere."""
    whole = os.path.normpath(place.joinpath(*dotted))
    for name in (f"{whole}.py", f"{whole}/__init__.py"):
        if Path(name).is_file() and Path(real(name)).is_relative_to(root):
            return name
    return None
