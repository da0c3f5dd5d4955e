"""Finds the files of a project that others import, without importing them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from initlint.project import roots
from initlint.project.neighbours import root_of
from initlint.project.sourcefiles import Texts, real
from initlint.safe.regular import is_file

# More files than these are not read along.
_MOST = 300
# Names that are libraries wherever they are imported, even if a folder is called so.
_LIBRARIES = {"torch", "numpy", "initlint", "os", "sys", "math", "typing"}


class Imported(NamedTuple):
    """The files that others import, and where imports begin that lead to none beside or above.

    `starts` has the folder for an importing file and the first name that it imports; "" if the
    project has such a package, but it is not known which is meant, or it lacks the module.
    """

    files: tuple[str, ...] = ()
    starts: Mapping[tuple[str, str], str] = {}


class Imports:
    """Finds what files import; each project is searched once."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._declared = cache(roots.declared)
        self._held = cache(roots.held)
        # Many files of a folder import the same module, and each imports several.
        self._file_of = cache(_file_of)
        self._around = cache(_around)
        self._starts: dict[tuple[str, str], str] = {}

    def of(self, paths: Sequence[str]) -> Imported:
        """The files that `paths` import, directly or not, and that lie in the same projects.

        A name is looked for beside the importer and in the folders around it, up to the project's
        root; then in `src/` and the folders that the project's settings name; then in the one
        folder of the project that has such a module.
        """
        known = {self._texts.place(path) for path in paths}
        found: list[str] = []
        waiting = list(paths)
        while waiting and len(found) < _MOST:
            path = waiting.pop()
            for other in self._imported_by(path):
                if self._texts.place(other) not in known:
                    known.add(self._texts.place(other))
                    found.append(other)
                    waiting.append(other)
        return Imported(tuple(found[:_MOST]), dict(self._starts))

    def _imported_by(self, path: str) -> Iterator[str]:
        folder = Path(path).parent
        here = Path(real(str(folder)))
        root = root_of(here) or here
        for level, dotted, is_module in _imports(self._texts.python(path)):
            if level:
                places: Sequence[Path] = [folder.joinpath(*[".."] * (level - 1))]
            elif dotted[0] in _LIBRARIES:
                continue
            else:
                places = self._around(folder, root)
            inside = (self._file_of(place, dotted, root) for place in places)
            candidate = next(filter(None, inside), None)
            if candidate is None and not level and dotted[0] not in roots.LIBRARIES:
                candidate = self._elsewhere(path, dotted, root, is_module)
            if candidate is not None:
                yield candidate

    def _elsewhere(
        self, path: str, dotted: tuple[str, ...], root: Path, is_module: bool
    ) -> str | None:
        """The file of a module that lies neither beside the importer nor above it, if it is known.

        `is_module` is False where the last name may be one in a module.
        """
        folder = Path(path).parent
        here = real(str(folder))

        def seen_from(place: Path) -> Path:
            return Path(os.path.normpath(folder / os.path.relpath(place, here)))

        key = path, dotted[0]
        if not (root / "src").is_dir() and dotted[0] not in self._held(root):
            return None
        for place in map(seen_from, self._declared(root)):
            found = _file_of(place, dotted, root)
            if found is not None:
                self._starts.setdefault(key, str(place))
                return found
        places = [seen_from(place) for place in self._held(root).get(dotted[0], ())]
        files = [(place, _file_of(place, dotted, root)) for place in places]
        files = [(place, file) for place, file in files if file is not None]
        if len(files) == 1:
            self._starts[key] = self._starts.get(key) or str(files[0][0])
            return files[0][1]
        if is_module and (files or any(_is_package(place / dotted[0]) for place in places)):
            self._starts.setdefault(key, "")
        return None


def _is_package(place: Path) -> bool:
    return is_file(place / "__init__.py")


_FROM = re.compile(
    rb"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]*)", re.MULTILINE
)
_IMPORT = re.compile(rb"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_NAME = re.compile(r"\w+")


def _imports(source: bytes) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """The level and the dotted name of every module that a file may import.

    The last is whether it must be a module: a name of `from` may be one in a module.
    """
    for names in _IMPORT.findall(source):
        for name in names.decode("utf-8", "replace").split(","):
            dotted = name.partition(" as ")[0].strip()
            if dotted:
                yield 0, tuple(dotted.split(".")), True
    for dots, base, names in _FROM.findall(source):
        parts = tuple(base.decode("utf-8", "replace").split(".")) if base else ()
        if parts:
            yield len(dots), parts, True
        for name in names.decode("utf-8", "replace").strip("()").split(","):
            # It may be a module of a package, or a name in a module.
            first = _NAME.search(name)
            if first is not None:
                yield len(dots), (*parts, first[0]), False


def _around(folder: Path, root: Path) -> Sequence[Path]:
    """A folder and those around it, the root the last one."""
    found = [folder]
    for _ in Path(real(str(folder))).parts[1:]:
        if Path(real(str(found[-1]))) == root:
            break
        found.append(found[-1] / "..")
    return found


def _file_of(place: Path, dotted: tuple[str, ...], root: Path) -> str | None:
    """The file of a module below a folder; None for one that is not there, or lies elsewhere."""
    whole = os.path.normpath(place.joinpath(*dotted))
    for name in (f"{whole}.py", f"{whole}/__init__.py"):
        if is_file(name) and Path(real(name)).is_relative_to(root):
            return name
    return None
