"""Which files a path stands for: itself, or the Python files and notebooks of a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from initlint.config import Settings, matches
from initlint.quickdata import dataclass
from initlint.records import Unanalysed

SUFFIXES = (".py", ".ipynb")
EXCLUDED = (
    *(".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox"),
    *(".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "__pypackages__"),
    *("build", "dist", "node_modules", "site-packages", "venv"),
)
# A hook may be run by git itself, which then says where *its* repository is.
_OF_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True, slots=True)
class Found:
    """The files in the order of their names, each once, and the paths that could not be read."""

    files: tuple[str, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()


def discover(paths: Sequence[str], settings: Settings) -> Found:
    """The files that `paths` stand for; one that has several names, by the first.

    A file that is named is taken whatever its suffix, unless a pattern of its config excludes it;
    what a folder holds is left out also where git ignores it or nobody means it.
    """
    by_place: dict[Path, str] = {}
    gaps: list[Unanalysed] = []
    for path in map(Path, paths):
        try:
            search = _inside if path.is_dir() else _named
            # Links are not followed inside a folder: only what is named can be one.
            place = Path(os.path.realpath(path))
            for file in search(path, settings, gaps):
                by_place.setdefault(place / file.relative_to(path), str(file))
        except OSError as error:
            gaps.append(_unreadable(path, error))
    return Found(tuple(sorted(by_place.values())), tuple(gaps))


def _named(path: Path, settings: Settings, gaps: list[Unanalysed]) -> Iterator[Path]:
    if not path.exists():
        gaps.append(Unanalysed(str(path), f"{path}: no such file or folder"))
    elif not settings.of(path).excludes(path):
        yield path


def _inside(folder: Path, settings: Settings, gaps: list[Unanalysed]) -> Iterator[Path]:
    """The files of a folder; links are not followed, so that no file is met twice."""
    listed = _listed_by_git(folder, gaps)
    for name in _walked(folder, settings, gaps) if listed is None else listed:
        path = folder / name
        if _is_out(path, folder, settings):
            continue
        mode = _mode(path, gaps)
        if stat.S_ISREG(mode) and name.endswith(SUFFIXES):
            yield path
        elif stat.S_ISDIR(mode) and listed is not None:
            # Git names a repository inside its own, and leaves it at that.
            yield from _inside(path, settings, gaps)


def _mode(path: Path, gaps: list[Unanalysed]) -> int:
    """What sort of thing is at `path`; 0 where there is nothing, or nothing that can be seen."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        # Git still lists what was deleted.
        return 0
    except OSError as error:
        gaps.append(_unreadable(path, error))
        return 0


def _unreadable(path: Path, error: OSError) -> Unanalysed:
    return Unanalysed(str(path), f"{path}: cannot be read: {error.strerror or error}")


def _is_out(path: Path, folder: Path, settings: Settings) -> bool:
    """Whether what was found in `folder` is excluded, or is what nobody means."""
    config = settings.of(path)
    if config.exclude is None:
        inside = path.relative_to(folder).as_posix()
        if any(matches(pattern, inside) for pattern in EXCLUDED):
            return True
    return config.excludes(path)


def _walked(folder: Path, settings: Settings, gaps: list[Unanalysed]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        gaps.append(_unreadable(Path(error.filename), error))

    for place, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(place)
        folders[:] = [name for name in folders if not _is_out(here / name, folder, settings)]
        inside = here.relative_to(folder)
        yield from (str(inside / name) for name in files if name.endswith(SUFFIXES))


def _listed_by_git(folder: Path, gaps: list[Unanalysed]) -> list[str] | None:
    """What git knows or would add, from `folder`; None where git does not speak of the folder."""
    place = folder.resolve()
    if not any((above / ".git").exists() for above in (place, *place.parents)):
        return None
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None or (not listed[0] and _git(folder, "check-ignore", "-q", ".") is not None):
        return None
    out, err = listed
    gaps.extend(Unanalysed(str(folder), f"{folder}: {line}") for line in err.splitlines())
    return list(dict.fromkeys(name for name in out.split("\0") if name))


def _git(folder: Path, *command: str) -> tuple[str, str] | None:
    """What git writes to stdout and stderr; None where it is not there or fails."""
    import subprocess

    environment = {name: value for name, value in os.environ.items() if name not in _OF_GIT}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command],
            capture_output=True,
            check=False,
            env={**environment, "LC_ALL": "C"},
        )
    except OSError:
        return None
    if done.returncode:
        return None
    return os.fsdecode(done.stdout), os.fsdecode(done.stderr)
