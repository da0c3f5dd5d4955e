"""Versions of code to compare: a path, a model, an installed package, or a git revision."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from initlint.extras import missing
from initlint.project.config import Settings
from initlint.project.discover import SUFFIXES
from initlint.project.gitfolder import metadata_folders, refuse_waiting
from initlint.project.targets import Targets, gather, is_model
from initlint.records import InitlintError
from initlint.safe.regular import SETTINGS, limit_of, read_regular
from initlint.safe.shown import cut

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID
    from dulwich.repo import Repo

_GIT = "git:"
# `HEAD~2^` is the parent of HEAD's grandparent.
_REVISION = re.compile(r"(?P<name>.*?)(?P<steps>(?:\^|~\d*)*)")
_STEPS = re.compile(r"\^|~\d*")
# Files that lie where a project begins.
_MARKS = ("pyproject.toml", "setup.py", "setup.cfg")
# No project has more of its own; a tree of git's may name one file any number of times.
_MOST_FILES = 100_000
_MOST_BYTES = 1_000_000_000


class Version(NamedTuple):
    """What is compared: `targets` for the pipeline, `root` for the names of their files."""

    written: str
    root: str
    targets: Targets


def with_paths(old: str, new: str) -> tuple[str, str]:
    """Both versions; a git revision without a path gets that of the other one.

    `git:HEAD src` compares src with what it was.
    """

    def beside(one: str, other: str) -> str:
        is_bare = one.startswith(_GIT) and ":" not in one.removeprefix(_GIT)
        is_path = not is_model(other) and not other.startswith(_GIT) and os.path.lexists(other)
        path = os.path.relpath(other) if is_bare and is_path else os.curdir
        return one if path == os.curdir else f"{one}:{path}"

    return beside(old, new), beside(new, old)


def is_built(written: str) -> bool:
    """Whether a version is a model to build: `git:HEAD` is none, although it has a colon."""
    return is_model(written) and not written.startswith(_GIT)


@contextlib.contextmanager
def version(written: str, settings: Settings) -> Iterator[Version]:
    """The version that a user names; what is taken out of git is there until the end.

    Raises InitlintError if there is none.
    """
    if written.startswith(_GIT) and not os.path.lexists(written):
        with tempfile.TemporaryDirectory(prefix="initlint-") as folder:
            root = _taken_out(written, Path(folder))
            yield Version(written, str(root), gather([str(root)], settings))
    elif is_model(written):
        yield Version(written, "", gather([written], settings))
    elif os.path.lexists(written):
        yield Version(written, written, gather([written], settings))
    else:
        root = _package(written)
        yield Version(written, str(root), gather([str(root)], settings))


def _package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    found = PathFinder.find_spec(name, sys.path) if name.isidentifier() else None
    if found is None or found.origin is None:
        kinds = "a file, a folder, an installed package, module:attr, or git:REVISION[:PATH]"
        if _is_revision(name):
            kinds = f"a git revision as git:{name}"
        raise InitlintError(f"{cut(name)}: there is no such version; name {kinds}")
    origin = Path(found.origin)
    return origin.parent if found.submodule_search_locations else origin


def _is_revision(name: str) -> bool:
    """Whether the repository around the working directory has a revision of this name."""
    try:
        with contextlib.closing(_repository()) as repository:
            return bool(_commit(repository, name.partition(":")[0]))
    except Exception:
        # No dulwich, no repository, or no such revision.
        return False


def _taken_out(written: str, folder: Path) -> Path:
    """Write the source files of git:REVISION[:PATH] into a folder; gives where PATH is now.

    The objects of the repository are read, and nothing is run: no git, no filter, no hook.
    """
    try:
        from dulwich.errors import NotGitRepository
    except ImportError:
        raise missing(written, "dulwich") from None
    revision, _, wanted = written.removeprefix(_GIT).partition(":")
    try:
        repository = _repository()
    except ImportError:
        raise missing(written, "dulwich") from None
    except InitlintError:
        raise
    except NotGitRepository:
        raise InitlintError(f"{written}: the working directory is in no git repository") from None
    except Exception as error:
        raise _unreadable(written, error) from None
    with contextlib.closing(repository):
        inside = os.path.relpath(os.path.realpath("."), os.path.realpath(repository.path))
        prefix = os.path.normpath(Path(inside, wanted))
        if Path(prefix).is_absolute() or Path(prefix).parts[:1] == (os.pardir,):
            raise InitlintError(f"{written}: the path lies outside the repository")
        try:
            tree = _commit(repository, revision).tree
            _write_tree(repository, tree, prefix, folder)
        except InitlintError:
            raise
        except KeyError as error:
            why = error.args[0] if error.args and isinstance(error.args[0], str) else ""
            what = f"there is no revision {cut(revision)} here" + (f": {cut(why)}" if why else "")
            raise InitlintError(f"{written}: {what}") from None
        except Exception as error:
            # Whatever dulwich raises for an object that is broken, or is no commit.
            raise _unreadable(written, error) from None
    root = folder / prefix
    if not root.exists():
        raise InitlintError(f"{written}: {cut(revision)} has no Python file at {prefix}")
    return root


def _repository() -> Repo:
    """The repository around the working directory.

    Its settings may include any file of the disk, which is not read.
    """
    from dulwich.config import ConfigFile
    from dulwich.repo import Repo

    refuse_waiting(metadata_folders(Path.cwd()))

    class Alone(Repo):
        def get_config(self) -> ConfigFile:
            own = str(Path(self.commondir(), "config"))

            def opened(path: object) -> IO[bytes]:
                if path != own:
                    raise OSError("it is not the repository's own")
                return io.BytesIO(read_regular(own, SETTINGS))

            try:
                return ConfigFile.from_path(own, file_opener=opened)
            except FileNotFoundError:
                return ConfigFile()

    return Alone.discover(".")


def _unreadable(written: str, error: Exception) -> InitlintError:
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return InitlintError(f"{written}: cannot be read from git: {cut(what)}")


def _commit(repository: Repo, revision: str) -> Commit:
    """The commit of `name~2^`. Raises KeyError if there is none."""
    from dulwich.objectspec import parse_commit

    found = _REVISION.fullmatch(revision)
    assert found is not None
    commit = parse_commit(repository, found["name"] or "HEAD")
    for step in _STEPS.findall(found["steps"]):
        for _ in range(int(step[1:] or 1) if step.startswith("~") else 1):
            if not commit.parents:
                raise KeyError(f"{commit.id.decode()[:10]} has no parent")
            commit = cast("Commit", repository[commit.parents[0]])
    return commit


def _write_tree(repository: Repo, tree: ObjectID, prefix: str, folder: Path) -> None:
    """Write a tree's regular Python files and notebooks into a folder, and where projects begin.

    Of the files below `prefix` all must be there. The others are there to be imported, or to fill
    the models: one that is too large is left out.
    """
    left, files = _MOST_BYTES, 0
    (folder / ".git").mkdir()
    for entry in repository.object_store.iter_tree_contents(tree):
        path = entry.path.decode("utf-8", "surrogateescape")
        is_mark = path.rpartition("/")[2] in _MARKS
        if not (is_mark or path.endswith(SUFFIXES)) or entry.mode & 0o170000 != 0o100000:
            continue
        is_asked = prefix == "." or path == prefix or path.startswith(f"{prefix}/")
        if {"", ".", "..", ".git"} & set(path.split("/")) or "\0" in path or "\\" in path:
            raise InitlintError(
                f"the revision has a file of a name that none may have: {cut(path)}"
            )
        target = folder / path
        if is_mark:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Without the settings in it: those of today count for both versions.
            target.with_name("setup.cfg").touch()
        if not path.endswith(SUFFIXES):
            continue
        content = repository.object_store[entry.sha].as_raw_string()
        is_large = len(content) > limit_of(path)
        is_spent = len(content) > left or files >= _MOST_FILES
        if not is_asked and (is_large or is_spent):
            continue
        if is_spent:
            raise InitlintError("the revision has too many files; name a folder: git:REVISION:PATH")
        if is_large:
            raise InitlintError(f"the revision's {cut(path)} is larger than a source file may be")
        left, files = left - len(content), files + 1
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
