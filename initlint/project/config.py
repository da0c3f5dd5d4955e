"""The settings of `[tool.initlint]`: finds the nearest ones above each file, and checks them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from initlint.project.patterns import fault as unusable
from initlint.project.patterns import matches
from initlint.records import CHOICES, FORMATS, InitlintError, Preferences
from initlint.safe.regular import SETTINGS, read_regular
from initlint.safe.shown import cut

NAME = "pyproject.toml"
_TABLE = "[tool.initlint]"
_LISTS = (
    *("select", "ignore", "extend-select"),
    *("exclude", "extend-exclude", "paths", "models"),
)
_PER_FILE = "per-file-ignores"
_PATTERNS = ("exclude", "extend-exclude")
# Beyond these a file is an attack, or a mistake: the largest known have a tenth.
_MOST_ENTRIES = 1000
_LONGEST_ENTRY = 4096
_MOST_PARTS = 32
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_MANY_PARTS = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*\.[ \t]*){{{_MOST_PARTS}}}")
_TEXTS = ("baseline", "output-format")
# Most files mention neither the table nor what it is misspelt as, and need not be parsed.
_MENTIONED = re.compile(rb"(?i)init[-_]?lint")
KEYS = (*_LISTS, *CHOICES, *_TEXTS, _PER_FILE)


class Config(NamedTuple):
    """One `[tool.initlint]`, or the defaults.

    Paths and patterns are relative to the folder of `file`. `exclude` is None if it is not given;
    then the default folders are left out (`discover.EXCLUDED`).
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
    baseline: str = ""
    output_format: str = ""

    @property
    def folder(self) -> Path:
        """The folder that paths and patterns start from."""
        return self.file.parent if self.file else Path.cwd()

    def excludes(self, path: str | Path) -> bool:
        """Whether a pattern that someone wrote in this file leaves `path` out."""
        return self._matches((*(self.exclude or ()), *self.extend_exclude), path)

    def ignored_in(self, path: str | Path) -> tuple[str, ...]:
        """The selectors of all `per-file-ignores` whose pattern is of `path`."""
        lists = [entry for entry in self.per_file_ignores if self._matches(entry[:1], path)]
        return tuple(selector for _, selectors in lists for selector in selectors)

    def targets(self) -> tuple[str, ...]:
        """`paths` and `models`, relative to the working directory.

        Raises InitlintError for those that leave the file's folder: a file in the tree must not
        decide about files outside it.
        """
        return (*map(self._path, self.paths), *map(self._model, self.models))

    def preferences(self, **given: str | None) -> Preferences:
        """How initialisers are written: as `given` says, else as this file does."""
        own = {key: getattr(self, key) for key in CHOICES}
        chosen = {key: given.get(key) or own[key] for key in CHOICES}
        return Preferences(**{key: value for key, value in chosen.items() if value})

    def baseline_file(self) -> Path | None:
        """The file of known findings; it must lie in the settings' folder, as `paths` must."""
        if not self.baseline:
            return None
        return absolute(self._inside("baseline", self.baseline))

    def _matches(self, patterns: tuple[str, ...], path: str | Path) -> bool:
        if not patterns:
            return False
        inside = os.path.relpath(absolute(path), self.folder).replace(os.sep, "/")
        return any(matches(pattern, inside) for pattern in patterns)

    def _path(self, entry: str) -> str:
        path = self._inside("paths", entry)
        if ":" in Path(path).name and not os.path.lexists(path):
            what = f"{cut(entry)}: no such file or folder; a model belongs under models"
            raise self._error("paths", what)
        # A dash alone would be standard input, and one at the front an option.
        return f"./{path}" if path.startswith("-") else path

    def _model(self, entry: str) -> str:
        home, colon, attribute = entry.rpartition(":")
        if not colon or not _is_dotted(attribute):
            raise self._error(
                "models", f"{cut(entry)}: write path/net.py:Net or package.module:Net"
            )
        if not home.endswith(".py"):
            if not _is_dotted(home):
                wanted = "is neither a .py file nor a module"
                raise self._error("models", f"{cut(entry)}: {cut(home)} {wanted}")
            return entry
        return f"{self._inside('models', home)}:{attribute}"

    def _inside(self, key: str, path: str) -> str:
        """A path in the file's folder, from the working directory."""
        # Both ends resolved: the working directory may be spelled through a link.
        folder, place = self.folder.resolve(), Path(os.path.realpath(self.folder / path))
        if not place.is_relative_to(folder):
            raise self._error(key, f"{cut(path)} is outside of {folder}; name it as a target")
        return os.path.relpath(place)

    def place(self, key: str) -> str:
        """The place of `key` for a message: `pyproject.toml: [tool.initlint] key:`"""
        return _place(self.file, key)

    def _error(self, key: str, what: str) -> InitlintError:
        return _error(self.file, key, what)


class Settings(NamedTuple):
    """The config of each file: one for all files, or the nearest above each file."""

    only: Config | None = None
    excluded: tuple[str, ...] = ()

    def excludes(self, path: str | Path) -> bool:
        """Whether --exclude, from the working directory, or the file's config leaves it out."""
        given = Config(extend_exclude=self.excluded)
        return given.excludes(path) or self.of(path).excludes(path)

    def here(self) -> Config:
        """The config of the working directory."""
        return self.only or _above(Path.cwd()) or Config()

    def of(self, path: str | Path) -> Config:
        """The config of a file; without one above it, that of the working directory."""
        if self.only:
            return self.only
        return _above(absolute(path).parent) or self.here()


def absolute(path: str | Path) -> Path:
    """The path from the root, without steps back; links stay as they are written."""
    return Path(os.path.normpath(Path(path).absolute()))


def settings(file: str | None, isolated: bool, exclude: tuple[str, ...] = ()) -> Settings:
    """What `--config`, `--isolated` and `--exclude` ask for.

    Raises InitlintError if there is no such file, or a pattern can match nothing.
    """
    if file is not None and isolated:
        raise InitlintError("--config and --isolated exclude each other; give one of them")
    for pattern in exclude:
        fault = unusable(pattern)
        if fault:
            raise InitlintError(f'--exclude "{cut(pattern)}": {fault}')
    if isolated:
        return Settings(Config(), exclude)
    if file is None:
        return Settings(None, exclude)
    if not os.path.lexists(file) or Path(file).is_dir():
        found = "a folder" if os.path.lexists(file) else "no such file"
        raise InitlintError(f"{file}: {found}; --config names a TOML file with {_TABLE} in it")
    return Settings(load(absolute(file)), exclude)


def load(file: Path) -> Config:
    """The config in `file`; raises InitlintError if it has none, or has unknown keys."""
    found = _read(file)
    if found is None:
        raise InitlintError(
            f"{_shown(file)}: there is no {_TABLE} in it; write one, or name another"
        )
    return found


def _above(folder: Path) -> Config | None:
    """The config in `folder` or the first folder above it that has one."""
    # From the root downwards: a folder may lie deeper than calls can be nested.
    for above in reversed(folder.parents[::_STRIDE]):
        _nearest(above)
    return _nearest(folder)


# So many folders are gone up by calls within each other.
_STRIDE = 100


def forget() -> None:
    """Read settings anew when they are next asked for: a server runs while files change."""
    _nearest.cache_clear()


@cache
def _nearest(folder: Path) -> Config | None:
    found = _read(folder / NAME) if _is_file(folder / NAME) else None
    if found is not None or folder.parent == folder:
        return found
    return _nearest(folder.parent)


def _read(file: Path) -> Config | None:
    """The config in one file; None if the file does not mention initlint."""
    source = _source(file)
    # Most such files do not mention initlint, and the parser takes time to import.
    if not _MENTIONED.search(source):
        return None
    parsed = _parsed(file, source)
    tool = parsed.get("tool")
    for name, tables in (("", parsed), ("tool.", tool if isinstance(tool, dict) else {})):
        _refuse_misspelt(file, name, tables)
    table = tool.get("initlint") if isinstance(tool, dict) else None
    return None if table is None else _config(file, table)


def _refuse_misspelt(file: Path, above: str, tables: Mapping[str, Any]) -> None:
    """Raise InitlintError for a table that is meant for initlint and that nothing reads."""
    for name, table in tables.items():
        meant = name.lower().replace("-", "").replace("_", "") == "initlint"
        if meant and f"{above}{name}" != "tool.initlint" and isinstance(table, dict):
            what = f"[{above}{cut(name)}] is not read; settings are written below {_TABLE}"
            raise InitlintError(f"{_shown(file)}: {what}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # Above a folder that may not be entered, or with a name that is too long.
        return False


def _source(file: Path) -> bytes:
    """The content of a file. Raises InitlintError if it cannot be read, or is too large."""
    try:
        return read_regular(file, SETTINGS)
    except OSError as error:
        raise InitlintError(f"{_shown(file)}: {error.strerror or error}") from error


def _parsed(file: Path, source: bytes) -> dict[str, Any]:
    import tomllib

    try:
        text = source.decode("utf-8-sig")
        # The time of the parser is quadratic in the parts of a key.
        if _MANY_PARTS.search(text):
            raise InitlintError(f"{_shown(file)}: a key has more than {_MOST_PARTS} parts")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise InitlintError(
            f"{_shown(file)}: no UTF-8 (at line {line}); save it as UTF-8"
        ) from error
    except ValueError as error:
        raise InitlintError(_fault(file, text, str(error))) from error
    except RecursionError as error:
        raise InitlintError(f"{_shown(file)}: nested too deeply") from error


# What tomllib says, and what to do about it.
_REMEDIES = (
    ("(at end of document)", "the file ends too early"),
    ("twice", "keep one of the two"),
    ("Cannot overwrite", "this key is there already: keep one of the two"),
    ("Cannot mutate", "this table is there already: keep one of the two"),
    ("Invalid value", "text goes in quotes"),
    ("Unclosed array", "close the bracket in the lines above"),
)


def _fault(file: Path, text: str, said: str) -> str:
    """Why a file is not TOML: place, the parser's words, the line, what to do."""
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
    if place is None:
        return f"{_shown(file)}: {said}"
    number = int(place[1]) if place[1] else text.count("\n") + 1
    what = said[: place.start()]
    lines = text.split("\n")
    line = cut(lines[number - 1].strip()) if number <= len(lines) else ""
    remedy = next((todo for mark, todo in _REMEDIES if mark in said), "correct the line")
    quoted = f" in `{line}`" if line else ""
    return f"{_shown(file)}:{number}: not TOML: {what}{quoted}; {remedy}"


def _config(file: Path, table: Any) -> Config:
    if not isinstance(table, dict):
        raise InitlintError(
            f"{_shown(file)}: {_TABLE} is not a table; write its keys below {_TABLE}"
        )
    for key, value in table.items():
        _reject_unknown(file, key)
        if key in CHOICES and value not in CHOICES[key]:
            raise _error(file, key, f"write one of {', '.join(CHOICES[key])}")
        if key in _TEXTS:
            _check_text(file, key, value)
        if key in _LISTS:
            _check_entries(file, key, value)
            _check_patterns(file, key, value if key in _PATTERNS else ())
    given: dict[str, Any] = {key: table[key] for key in CHOICES if key in table}
    given |= {key.replace("-", "_"): table[key] for key in _TEXTS if key in table}
    given |= {key.replace("-", "_"): tuple(table[key]) for key in _LISTS if key in table}
    return Config(file, per_file_ignores=_per_file(file, table.get(_PER_FILE, {})), **given)


def _reject_unknown(file: Path, key: str) -> None:
    if key in KEYS:
        return
    import difflib

    near = difflib.get_close_matches(cut(key).replace("_", "-"), KEYS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(KEYS)}"
    raise _error(file, cut(key), f"there is no such key; {hint}")


def _check_entries(file: Path, key: str, entries: object) -> None:
    """Raise InitlintError if a value is not a list of strings, or is implausibly long."""
    if not _is_texts(entries):
        raise _error(file, key, "write a list of strings")
    assert isinstance(entries, list)
    if len(entries) > _MOST_ENTRIES:
        raise _error(file, key, f"more than {_MOST_ENTRIES} entries")
    if key == "select" and not entries:
        raise _error(file, key, "selects no rule; leave it out for those that are on by default")
    for entry in entries:
        if len(entry) > _LONGEST_ENTRY:
            raise _error(file, key, f"{cut(entry)}: longer than {_LONGEST_ENTRY} characters")
        if "\0" in entry:
            raise _error(file, key, f"{cut(entry)}: no name has a null character")
        if key == "paths" and not entry:
            raise _error(file, key, 'an empty path; write "." for this folder')


def _check_text(file: Path, key: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise _error(file, key, "write one name in quotes")
    _check_entries(file, key, [value])
    if key == "output-format" and value not in FORMATS:
        raise _error(file, key, f"{cut(value)}: write one of {', '.join(FORMATS)}")


def _check_patterns(file: Path, key: str, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        fault = unusable(pattern)
        if fault:
            raise _error(file, key, f'"{cut(pattern)}": {fault}')


def _per_file(file: Path, table: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(table, Mapping) or not all(map(_is_texts, table.values())):
        wanted = 'write a table of lists, as "tests/**" = ["INIT1"]'
        raise _error(file, _PER_FILE, wanted)
    for entries in (list(table), *table.values()):
        _check_entries(file, _PER_FILE, entries)
    _check_patterns(file, _PER_FILE, table)
    return tuple((pattern, tuple(selectors)) for pattern, selectors in table.items())


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _error(file: Path | None, key: str, what: str) -> InitlintError:
    return InitlintError(f"{_place(file, key)} {what}")


def _place(file: Path | None, key: str) -> str:
    return f"{_shown(file)}: {_TABLE} {key}:" if file else f"{_TABLE} {key}:"


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
