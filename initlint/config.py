"""The settings of `[tool.initlint]`: read, checked, and found for each file in what is above it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from initlint.quickdata import dataclass
from initlint.records import CHOICES, InitlintError, Preferences

NAME = "pyproject.toml"
_TABLE = "[tool.initlint]"
_LISTS = (
    *("select", "ignore", "extend-select"),
    *("exclude", "extend-exclude", "paths", "models"),
)
_PER_FILE = "per-file-ignores"
KEYS = (*_LISTS, *CHOICES, _PER_FILE)


@dataclass(frozen=True, slots=True)
class Config:
    """One `[tool.initlint]`, or what holds where there is none.

    Paths and patterns are relative to the folder of `file`. `exclude` is None where it is not
    given, and then the folders that nobody means are passed over.
    """

    file: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    style: str = ""
    distribution: str = ""
    mode: str = ""
    bias: str = ""

    @property
    def folder(self) -> Path:
        """What paths and patterns start from."""
        return self.file.parent if self.file else Path.cwd()

    def excludes(self, path: str | Path) -> bool:
        """Whether a pattern that someone wrote in this file leaves `path` out."""
        return self._matches((*(self.exclude or ()), *self.extend_exclude), path)

    def ignored_in(self, path: str | Path) -> tuple[str, ...]:
        """The selectors of all `per-file-ignores` whose pattern is of `path`."""
        lists = [entry for entry in self.per_file_ignores if self._matches(entry[:1], path)]
        return tuple(selector for _, selectors in lists for selector in selectors)

    def targets(self) -> tuple[str, ...]:
        """`paths` and `models` as they are written from the working directory."""
        return tuple(self._from_here(target) for target in (*self.paths, *self.models))

    def preferences(self, **given: str | None) -> Preferences:
        """How initialisers are written: as `given` says, else as this file does."""
        own = {key: getattr(self, key) for key in CHOICES}
        chosen = {key: given.get(key) or own[key] for key in CHOICES}
        return Preferences(**{key: value for key, value in chosen.items() if value})

    def _matches(self, patterns: tuple[str, ...], path: str | Path) -> bool:
        if not patterns:
            return False
        inside = os.path.relpath(absolute(path), self.folder).replace(os.sep, "/")
        return any(matches(pattern, inside) for pattern in patterns)

    def _from_here(self, target: str) -> str:
        path, colon, attribute = target.rpartition(":")
        if colon and not path.endswith(".py"):
            return target
        # Both ends resolved: the working directory may be spelled through a link.
        place = os.path.relpath((self.folder / (path if colon else target)).resolve())
        return f"{place}:{attribute}" if colon else place


@dataclass(frozen=True, slots=True)
class Settings:
    """Which config holds where: one for all files, or for each file the nearest above it."""

    only: Config | None = None

    def here(self) -> Config:
        """The config of the working directory."""
        return self.only or _nearest(Path.cwd()) or Config()

    def of(self, path: str | Path) -> Config:
        """The config of a file; one that has none above it follows the working directory's."""
        if self.only:
            return self.only
        return _nearest(absolute(path).parent) or self.here()


def absolute(path: str | Path) -> Path:
    """The path from the root, without steps back; links stay as they are written."""
    return Path(os.path.normpath(Path(path).absolute()))


def settings(file: str | None, isolated: bool) -> Settings:
    """What `--config FILE` and `--isolated` ask for."""
    if isolated:
        return Settings(Config())
    return Settings(load(absolute(file))) if file else Settings()


def load(file: Path) -> Config:
    """The config in `file`; raises InitlintError where it has none or says what is not known."""
    found = _read(file)
    if found is None:
        raise InitlintError(f"{_shown(file)}: there is no {_TABLE} in it")
    return found


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern names `path` or a folder around it; without a slash, in any folder.

    `*` and `?` stay within one name, `**` spans folders.
    """
    return _expression(pattern).fullmatch(path) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    bare = pattern.removeprefix("./").rstrip("/")
    anywhere = "" if "/" in bare else "(?:.*/)?"
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", bare.lstrip("/"))
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(wild.get(token) or _literal(token) for token in tokens)
    return re.compile(f"{anywhere}{body}(?:/.*)?", re.DOTALL)


def _literal(token: str) -> str:
    if len(token) == 1:
        return re.escape(token)
    negated = token[1] == "!"
    inner = token[2 if negated else 1 : -1].replace("\\", r"\\").replace("^", r"\^")
    return f"[{'^' if negated else ''}{inner}]"


@cache
def _nearest(folder: Path) -> Config | None:
    """The config in `folder` or the first folder above it that has one."""
    found = _read(folder / NAME) if (folder / NAME).is_file() else None
    if found is not None or folder.parent == folder:
        return found
    return _nearest(folder.parent)


def _read(file: Path) -> Config | None:
    """The config in one file; None where the file does not speak of initlint."""
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InitlintError(f"{_shown(file)}: {error.strerror or error}") from error
    # Most files above a file do not speak of initlint, and the parser takes time to import.
    if b"initlint" not in source:
        return None
    import tomllib

    try:
        tool = tomllib.loads(source.decode()).get("tool")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InitlintError(f"{_shown(file)}: {error}") from error
    table = tool.get("initlint") if isinstance(tool, dict) else None
    return None if table is None else _config(file, table)


def _config(file: Path, table: Any) -> Config:
    if not isinstance(table, dict):
        raise InitlintError(f"{_shown(file)}: {_TABLE} is not a table")
    for key, value in table.items():
        _reject_unknown(file, key)
        if key in _LISTS and not _is_texts(value):
            raise InitlintError(f"{_shown(file)}: {_TABLE} {key}: write a list of strings")
        if key in CHOICES and value not in CHOICES[key]:
            wanted = f"write one of {', '.join(CHOICES[key])}"
            raise InitlintError(f"{_shown(file)}: {_TABLE} {key}: {wanted}")
    given: dict[str, Any] = {key: table[key] for key in CHOICES if key in table}
    given |= {key.replace("-", "_"): tuple(table[key]) for key in _LISTS if key in table}
    return Config(file, per_file_ignores=_per_file(file, table.get(_PER_FILE, {})), **given)


def _reject_unknown(file: Path, key: str) -> None:
    if key in KEYS:
        return
    import difflib

    near = difflib.get_close_matches(key.replace("_", "-"), KEYS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(KEYS)}"
    raise InitlintError(f"{_shown(file)}: {_TABLE} {key}: there is no such key; {hint}")


def _per_file(file: Path, table: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(table, Mapping) or not all(map(_is_texts, table.values())):
        wanted = 'write a table of lists, as "tests/**" = ["INIT1"]'
        raise InitlintError(f"{_shown(file)}: {_TABLE} {_PER_FILE}: {wanted}")
    return tuple((pattern, tuple(selectors)) for pattern, selectors in table.items())


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
