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
# Why a file or folder is left out.
EXCLUDED_BY_SETTINGS = "excluded by the settings or --exclude"
_BY_DEFAULT = "a folder left out by default"
_IGNORED = "a .gitignore covers it"


class LeftOut(NamedTuple):
    """A file or folder that is not checked, and the reason in a few words."""

    path: str
    reason: str


class Found(NamedTuple):
    """The files in the order of their names, each once, and the paths that could not be read.

    `notes` are ignore rules that are not applied: nothing is lost by them. `left_out` are files,
    and folders that were not entered.
    """

    files: tuple[str, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()
    notes: tuple[Unanalysed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def discover(paths: Sequence[str], settings: Settings) -> Found:
    """The files of `paths`; a file with several names has the first one.

    A file in `paths` is taken with any suffix, unless its config excludes it. Files of a folder are
    also left out if a .gitignore covers them, or if they are in one of the `EXCLUDED` folders.
    """
    by_place: dict[Path, str] = {}
    gaps: list[Unanalysed] = []
    left_out: list[LeftOut] = []
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
                files = _Walk(path, place, settings, ignored, gaps, left_out).files()
            else:
                files = _named(written, settings, gaps, left_out)
            for file in files:
                by_place.setdefault(place / file.relative_to(path), _written(file))
        except (OSError, ValueError) as error:
            gaps.append(_unreadable(path, error))
    every = tuple(sorted(by_place.values()))
    return Found(every, tuple(gaps), tuple(ignored.notes), tuple(sorted(left_out)))


def _named(
    written: str, settings: Settings, gaps: list[Unanalysed], left_out: list[LeftOut]
) -> Iterator[Path]:
    path = Path(written)
    if not path.exists():
        # Settings write ./--fix.
        hint = "; options go before --" if written.startswith("-") else ""
        gaps.append(Unanalysed(str(path), f"{path}: no such file or folder{hint}"))
    elif settings.excludes(path):
        left_out.append(LeftOut(str(path), EXCLUDED_BY_SETTINGS))
    else:
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
        left_out: list[LeftOut],
    ) -> None:
        self._folder, self._place = folder, place
        self._settings, self._ignored, self._gaps = settings, ignored, gaps
        self._left_out = left_out

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
                reason = self._reason(path)
                if not reason and self._ignored.covers(rules, real, is_folder):
                    reason = _IGNORED
                if reason:
                    # Folders like .git and __pycache__ hold no one's models.
                    if reason != _BY_DEFAULT or not entry.name.startswith((".", "__")):
                        self._left_out.append(LeftOut(str(path), reason))
                    continue
                if is_folder:
                    waiting.append((path, real, rules))
                else:
                    yield from self._regular(entry, path)

    def _reason(self, path: Path) -> str:
        """Why the config, or the default list of folders, excludes a path; else empty."""
        config = self._settings.of(path)
        unmeant = not EXCLUDED.isdisjoint(path.relative_to(self._folder).parts)
        if path.name == _REPOSITORY or (config.exclude is None and unmeant):
            return _BY_DEFAULT
        return EXCLUDED_BY_SETTINGS if self._settings.excludes(path) else ""

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
