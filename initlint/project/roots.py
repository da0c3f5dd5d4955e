"""The folders of a project in which absolute imports begin: what it says, and what it holds."""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from initlint.project.discover import EXCLUDED
from initlint.reading.sources.outside import LOOKING, TRAINING, TRUSTED
from initlint.safe.regular import SOURCE, is_folder, read_regular

# Names that are libraries, even if some folder of the project is called so.
LIBRARIES = {*sys.stdlib_module_names, *LOOKING, *TRAINING, *TRUSTED}
# A project with more folders than this is not searched: a hook must answer in a second.
_MOST = 5_000
# Where pyproject.toml names folders that hold packages.
_NAMED = (
    "tool.setuptools.packages.find.where",
    "tool.setuptools.package-dir.",
    "tool.hatch.build.sources",
    "tool.hatch.build.targets.wheel.sources",
    "tool.hatch.build.dev-mode-dirs",
    "tool.pdm.build.package-dir",
    "tool.uv.build-backend.module-root",
    "tool.maturin.python-source",
    "tool.pytest.ini_options.pythonpath",
    "tool.mypy.mypy_path",
    "tool.pyright.extraPaths",
    "tool.ruff.src",
)
# Where it names the packages themselves, which lie in such a folder.
_PACKAGES = ("tool.hatch.build.targets.wheel.packages", "tool.hatch.build.packages")
_IN_SETUP = (
    ("options.packages.find", "where"),
    ("options", "package_dir"),
    ("tool:pytest", "pythonpath"),
    ("pytest", "pythonpath"),
)


def declared(root: Path) -> list[Path]:
    """`src/` and the folders that the project's settings name, if they are inside the project."""
    found = [root / "src"]
    for written in (*_of_pyproject(root), *_of_setup(root)):
        if "\0" not in written:
            found.append(Path(os.path.normpath(root / written)))
    return [
        folder
        for folder in dict.fromkeys(found)
        if is_folder(folder) and folder.resolve().is_relative_to(root)
    ]


def _of_pyproject(root: Path) -> Iterator[str]:
    try:
        settings = tomllib.loads(read_regular(root / "pyproject.toml", SOURCE).decode())
    except (OSError, ValueError, RecursionError):
        return
    for key in _NAMED:
        yield from _strings(_at(settings, key))
    for key in _PACKAGES:
        for package in _strings(_at(settings, key)):
            yield str(PurePosixPath(package).parent)
    packages = _at(settings, "tool.poetry.packages")
    for entry in packages if isinstance(packages, list) else ():
        yield from _strings(entry.get("from") if isinstance(entry, dict) else None)


def _at(settings: Any, key: str) -> Any:
    """The value of a dotted key; one that ends in a dot is for the empty name below it."""
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings


def _strings(value: Any) -> Iterator[str]:
    """The folders in a string, a list, or a table from folders to their new names."""
    if isinstance(value, str):
        yield from value.replace(":", ",").replace("\n", ",").split(",")
    elif isinstance(value, (list, dict)):
        yield from (each for each in value if isinstance(each, str))


def _of_setup(root: Path) -> Iterator[str]:
    for name in ("setup.cfg", "pytest.ini", "tox.ini"):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(read_regular(root / name, SOURCE).decode())
        except (OSError, ValueError, configparser.Error):
            continue
        for section, option in _IN_SETUP:
            for line in parser.get(section, option, fallback="").split():
                # `package_dir` has `= src` for all packages, `zoo = lib/zoo` for one.
                name, equals, folder = line.rpartition("=")
                if not name.strip() or not equals:
                    yield folder


def held(root: Path) -> dict[str, list[Path]]:
    """By name, the folders of a project that have a top-level module or package so called.

    A folder with an `__init__.py` is a package itself: what lies in it is not at the top level.
    """
    found: dict[str, list[Path]] = {}
    waiting, seen = [root], 0
    while waiting:
        folder = waiting.pop()
        seen += 1
        if seen > _MOST:
            return {}
        inner = list(_entries(folder))
        is_package = any(name == "__init__.py" for name, _ in inner)
        for name, is_inner in inner:
            if is_inner:
                waiting.append(folder / name)
            if not is_package and (is_inner or name.endswith(".py")):
                found.setdefault(name.removesuffix(".py"), []).append(folder)
    return found


def _entries(folder: Path) -> Iterable[tuple[str, bool]]:
    """The names in a folder, and whether each is a folder; those nobody would import are left."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(".") and entry.name not in EXCLUDED
            )
    except OSError:
        return ()
