"""Ignore rules of .gitignore files. git is not run, because its settings can name programs.

A nearer file wins over one further up, and in one file the last matching pattern wins. A tracked
file that a pattern covers is left out, too, as in ruff: only git's index knows the tracked files.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from initlint.records import Unanalysed
from initlint.safe.regular import read_regular

if TYPE_CHECKING:
    from pathspec.pattern import Pattern

NAME = ".gitignore"
_REPOSITORY = ".git"
# A larger file was not written by hand, and is not applied.
_LARGEST = 1_000_000
_MOST = 2_000
_LONGEST = 1_000
# Patterns become regular expressions, which may take as many steps as a name is long, to the power
# of the stars in it. So many are there for a walk, and so many more for each name that it meets.
_STEPS = 100_000_000
_STEPS_OF_A_NAME = 100_000


class _Line(NamedTuple):
    """One pattern: whether it matches only folders, and a path itself, its content, or both."""

    pattern: Pattern
    only_folders: bool
    reach: Literal["itself", "inside", "all"]

    def speaks_of(self, path: str) -> bool:
        """Whether the pattern matches the path itself (with a slash at its end for a folder).

        The library also matches the files in a matching folder. Here an ignored folder is not
        entered, and a later pattern with `!` for the folder must not take back its files.
        """
        if self.only_folders and not path.endswith("/"):
            return False
        found = self.pattern.match_file(path)
        if found is None or self.reach == "all":
            return found is not None
        return (found.match.end() == len(path)) is (self.reach == "itself")


class Patterns(NamedTuple):
    """One pattern file: its folder, its patterns, and their numbers of wildcards.

    `wildcards` counts patterns by the stars in one name and the `**` between names.
    """

    folder: str
    shown: str
    lines: tuple[_Line, ...]
    wildcards: Counter[tuple[int, int]]

    def verdict(self, path: str) -> bool | None:
        """The answer of the last pattern that matches a path; None if none does."""
        for line in reversed(self.lines):
            if line.speaks_of(path):
                return line.pattern.include
        return None

    def steps(self, inside: str) -> int:
        """At most how many steps it takes to match all patterns against a path."""
        names = inside.split("/")
        longest = max(map(len, names))
        return sum(
            count * comb(longest + stars, stars) * len(names) ** (deep + 1)
            for (stars, deep), count in self.wildcards.items()
        )


Rules = tuple[Patterns, ...]


class Ignored:
    """The ignore rules of one walk; `notes` are the patterns and files that are not applied."""

    def __init__(self) -> None:
        self.notes: list[Unanalysed] = []
        self._left = _STEPS
        self._refused: set[str] = set()

    def above(self, folder: Path) -> Rules:
        """The rules from above a folder, as far as its repository reaches.

        If they cover the folder itself there are none: the user has named it.
        """
        root = _repository_of(folder)
        if root is None or root == folder:
            return ()
        rules = self._of_repository(root)
        place = root
        for step in folder.relative_to(root).parts:
            rules += self._read(place, place / NAME)
            place = place / step
            if self.covers(rules, place, is_folder=True):
                return ()
        return rules

    def entered(self, rules: Rules, folder: Path, names: Sequence[str]) -> Rules:
        """The rules inside a folder that holds `names`: a repository begins anew."""
        if _REPOSITORY in names:
            rules = self._of_repository(folder)
        if NAME in names:
            rules += self._read(folder, folder / NAME)
        return rules

    def covers(self, rules: Rules, path: Path, is_folder: bool) -> bool:
        """Whether the rules leave out a path whose parent folders are not left out."""
        self._left += _STEPS_OF_A_NAME
        for patterns in reversed(rules):
            inside = str(path)[len(patterns.folder) :].lstrip(os.sep).replace(os.sep, "/")
            steps = patterns.steps(inside)
            if steps > self._left:
                self._refuse(patterns.shown, f"{patterns.shown}: takes too long to match")
                continue
            self._left -= steps
            verdict = patterns.verdict(f"{inside}/" if is_folder else inside)
            if verdict is not None:
                return verdict
        return False

    def _of_repository(self, root: Path) -> Rules:
        """The patterns in a repository's `.git/info/exclude`, unless that is a link."""
        file = root / _REPOSITORY / "info" / "exclude"
        return self._read(root, file) if os.path.realpath(file) == str(file) else ()

    def _read(self, folder: Path, file: Path) -> Rules:
        """The patterns of a file; none if it does not exist or cannot be read."""
        shown = _shown(file)
        try:
            # Git itself follows no link to a pattern file.
            source = read_regular(file, _LARGEST, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            self._refuse(shown, f"{shown}: cannot be read: {error.strerror or error}")
            return ()
        return self._parsed(str(folder), shown, source)

    def _parsed(self, folder: str, shown: str, source: bytes) -> Rules:
        text = source.decode("utf-8-sig", "surrogateescape")
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        wanted = {n: x for n, x in enumerate(lines, 1) if x.strip() and not x.startswith("#")}
        if len(wanted) > _MOST:
            self._refuse(shown, f"{shown}: more than {_MOST} patterns")
            return ()
        found: list[_Line] = []
        wildcards: Counter[tuple[int, int]] = Counter()
        for number, line in wanted.items():
            try:
                found += map(partial(_line, line), _compiled(line))
                wildcards[_wildcards(line)] += 1
            except (ValueError, re.error, OverflowError, RecursionError):
                self._refuse(shown, f"{shown}:{number}: not understood: {line[:60]!r}")
        return (Patterns(folder, shown, tuple(found), wildcards),) if found else ()

    def _refuse(self, shown: str, reason: str) -> None:
        """Note a file or pattern that is not applied, once for each file."""
        if shown not in self._refused:
            self._refused.add(shown)
            self.notes.append(Unanalysed(shown, f"{reason}; it is not applied"))


def _repository_of(folder: Path) -> Path | None:
    """The nearest folder around a place, or the place itself, that is the root of a repository."""
    around = (folder, *folder.parents)
    return next((place for place in around if os.path.lexists(place / _REPOSITORY)), None)


def _compiled(line: str) -> Sequence[Pattern]:
    from pathspec import GitIgnoreSpec

    if len(line) > _LONGEST or "[[:" in line:
        # The library does not know classes of characters by name.
        raise ValueError(line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(GitIgnoreSpec.from_lines([line]).patterns)


_TWICE = ("**", "**")


def _line(text: str, pattern: Pattern) -> _Line:
    # Several `**` in a row are one.
    names = [name for name, after in pairwise([*_names(text), ""]) if (name, after) != _TWICE]
    is_anchored = text.startswith(("/", "!/"))
    is_all = names in (["**"], ["**", "*"]) or (names == ["*"] and not is_anchored)
    reach: Literal["itself", "inside", "all"] = "all" if is_all else "itself"
    if names[-1] == "**" and not is_all:
        reach = "inside"
    return _Line(pattern, text.rstrip().endswith("/"), reach)


def _wildcards(line: str) -> tuple[int, int]:
    """The most stars in one name of a pattern, and the `**` between its names."""
    names = _names(line)
    inner = [name for name in names if name != "**"]
    return max((name.count("*") for name in inner), default=0), len(names) - len(inner)


def _names(line: str) -> list[str]:
    return line.rstrip().removeprefix("!").strip("/").split("/")


def _shown(file: Path) -> str:
    """A file as someone here would write it."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
