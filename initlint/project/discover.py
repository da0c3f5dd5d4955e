"""The files of a path: the file itself, or the Python files and notebooks of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from initlint.project.config import Settings
from initlint.project.ignored import Ignored
from initlint.records import Unanalysed
from initlint.safe.regular import kind_of

SUFFIXES = (".py", ".ipynb")
EXCLUDED = {
    *(".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox"),
    *(".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "__pypackages__"),
    *("build", "dist", "node_modules", "site-packages", "venv"),
}
_REPOSITORY = ".git"


class Found(NamedTuple):
    """The files in the order of their names, each once, and the paths that could not be read.

    `notes` are ignore rules that are not applied: nothing is lost by them.
    """

    files: tuple[str, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()
    notes: tuple[Unanalysed, ...] = ()


def discover(paths: Sequence[str], settings: Settings) -> Found:
    """The files of `paths`; a file with several names has the first one.

    A file in `paths` is taken with any suffix, unless its config excludes it. Files of a folder are
    also left out if a .gitignore covers them, or if they are in one of the `EXCLUDED` folders.
    """
    by_place: dict[Path, str] = {}
    gaps: list[Unanalysed] = []
    ignored = Ignored()
    if "" in paths:
        # Path would take it for the working directory.
        gaps.append(Unanalysed("", "an empty path names no file or folder"))
    for written in filter(None, paths):
        path = Path(written)
        try:
            # Links inside a folder are not followed: only a path in `paths` can be one.
            place = Path(os.path.realpath(path))
            if path.is_dir():
                files = _Walk(path, place, settings, ignored, gaps).files()
            else:
                files = _named(written, settings, gaps)
            for file in files:
                by_place.setdefault(place / file.relative_to(path), _written(file))
        except (OSError, ValueError) as error:
            gaps.append(_unreadable(path, error))
    return Found(tuple(sorted(by_place.values())), tuple(gaps), tuple(ignored.notes))


def _named(written: str, settings: Settings, gaps: list[Unanalysed]) -> Iterator[Path]:
    path = Path(written)
    if not path.exists():
        # Settings write ./--fix.
        hint = "; options go before --" if written.startswith("-") else ""
        gaps.append(Unanalysed(str(path), f"{path}: no such file or folder{hint}"))
    elif not settings.of(path).excludes(path):
        yield path


def _written(file: Path) -> str:
    """A file as a target: a dash alone would be the standard input."""
    return "./-" if str(file) == "-" else str(file)


class _Walk:
    """The files of one folder; links are not followed, so that no file occurs twice."""

    def __init__(
        self,
        folder: Path,
        place: Path,
        settings: Settings,
        ignored: Ignored,
        gaps: list[Unanalysed],
    ) -> None:
        self._folder, self._place = folder, place
        self._settings, self._ignored, self._gaps = settings, ignored, gaps

    def files(self) -> Iterator[Path]:
        """Every file that is neither excluded nor ignored, in any order."""
        waiting = [(self._folder, self._place, self._ignored.above(self._place))]
        while waiting:
            folder, place, rules = waiting.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                self._gaps.append(_unreadable(folder, error))
                continue
            rules = self._ignored.entered(rules, place, [entry.name for entry in entries])
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not _is_source(entry):
                    continue
                path, real = folder / entry.name, place / entry.name
                if self._is_out(path) or self._ignored.covers(rules, real, is_folder):
                    continue
                if is_folder:
                    waiting.append((path, real, rules))
                else:
                    yield from self._regular(entry, path)

    def _is_out(self, path: Path) -> bool:
        """Whether the config, or the default list of folders, excludes a path."""
        config = self._settings.of(path)
        unmeant = not EXCLUDED.isdisjoint(path.relative_to(self._folder).parts)
        if config.exclude is None and unmeant:
            return True
        return path.name == _REPOSITORY or config.excludes(path)

    def _regular(self, entry: os.DirEntry[str], path: Path) -> Iterator[Path]:
        """The file; nothing, and the reason among the gaps, where it is a pipe or a device."""
        if entry.is_file(follow_symlinks=False):
            yield path
            return
        try:
            kind = kind_of(entry.stat(follow_symlinks=False).st_mode)
            self._gaps.append(Unanalysed(str(path), f"{path}: it is {kind}, not a file"))
        except OSError as error:
            self._gaps.append(_unreadable(path, error))


def _is_source(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(SUFFIXES) and not entry.is_symlink()


def _unreadable(path: Path, error: Exception) -> Unanalysed:
    reason = getattr(error, "strerror", None) or str(error)
    return Unanalysed(str(path), f"{path}: cannot be read: {reason}")
