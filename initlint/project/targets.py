"""Sorts the targets of a command line: models to build, files, standard input."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from initlint.project import discover
from initlint.project.config import Settings
from initlint.project.discover import LeftOut
from initlint.records import InitlintError, Unanalysed
from initlint.safe import regular
from initlint.safe.shown import cut

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Targets:
    """Models by name, files by path, and the text of those that are not on the disk.

    `gaps` are targets that cannot be read; `notes` are remarks that do not fail the run; `left_out`
    are files and folders that the settings or ignore rules exclude.
    """

    models: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict)
    gaps: tuple[Unanalysed, ...] = ()
    notes: tuple[Unanalysed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All targets for the api."""
        return (*self.models, *self.files)


def gather(written: Sequence[str], settings: Settings, stdin_filename: str = STDIN) -> Targets:
    """The targets that someone wrote; `-` is standard input, taken for the file of that name.

    Raises InitlintError where that is also a file: which of them is meant must not be a guess.
    """
    if STDIN in written and os.path.lexists(STDIN):
        raise InitlintError("- is the standard input and a file here: write ./- for the file")
    models = tuple(dict.fromkeys(target for target in written if is_model(target)))
    paths = [target for target in written if not is_model(target) and target != STDIN]
    found = discover.discover(paths, settings)
    if STDIN not in written:
        return Targets(models, found.files, {}, found.gaps, found.notes, found.left_out)
    if "\0" in stdin_filename:
        raise InitlintError(f"--stdin-filename {cut(stdin_filename)}: no name has a null character")
    if stdin_filename.rpartition("/")[2] in ("", ".", ".."):
        reason = "names a folder; write a file's name, as net.py"
        raise InitlintError(f"--stdin-filename {cut(stdin_filename)}: {reason}")
    if settings.excludes(stdin_filename):
        left_out = (*found.left_out, LeftOut(stdin_filename, discover.EXCLUDED_BY_SETTINGS))
        return Targets(models, found.files, {}, found.gaps, found.notes, left_out)
    source = _standard_input(stdin_filename)
    files = tuple(dict.fromkeys((*found.files, stdin_filename)))
    return Targets(models, files, {stdin_filename: source}, found.gaps, found.notes, found.left_out)


def _standard_input(name: str) -> bytes:
    """All of the standard input. Raises InitlintError where it does not end or is a folder."""
    limit = regular.limit_of(name)
    try:
        return regular.read_bounded(sys.stdin.buffer, limit)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InitlintError(f"standard input cannot be read: {reason}") from error


def of_model(target: str) -> tuple[str, str]:
    """The file or module of a model, and its name there: net.py and Net of net.py:Net.

    Raises InitlintError for any other form, with what to write instead.
    """
    if not is_model(target):
        raise InitlintError(f"{cut(target) or 'an empty target'}: {_to_name(target)}")
    place, _, name = target.rpartition(":")
    folder, slash, last = target.rpartition("/")
    parts = [part for part in last.split(":") if part]
    meant = f"{folder}{slash}{':'.join(parts[:2])}"
    if not place or not parts:
        raise InitlintError(f"{cut(target)}: no file or module before the colon; {_FORMS}")
    if last.count(":") > 1:
        raise InitlintError(f"{cut(target)}: it has more than one colon; write {cut(meant)}")
    if not name:
        raise InitlintError(f"{cut(target)}: no name after the colon; {_to_name(place)}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise InitlintError(f"{cut(target)}: {cut(name)} is not a name; {_FORMS}")
    return place, name


_FORMS = "name a model, as path/net.py:Net or package.module:Net"


def _to_name(path: str) -> str:
    """How to name a model of a file, with the classes that it has."""
    found = models_in(path) if path.endswith(".py") else []
    if not found:
        return f"name a model in it, as {cut(path)}:Net" if path.endswith(".py") else _FORMS
    more = f"; it also has {', '.join(found[1:_MOST])}" if found[1:] else ""
    return f"name a model in it, as {cut(path)}:{found[0]}{more}"


# So many classes are named.
_MOST = 4


def models_in(path: str) -> list[str]:
    """The classes of a file that define forward or are named modules by their bases; not run."""
    try:
        tree = ast.parse(regular.read_regular(path, regular.SOURCE))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and _is_net(node)]


def _is_net(node: ast.ClassDef) -> bool:
    """Whether a class has a forward, or a base that is called like a module."""
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    has_forward = any(isinstance(s, ast.FunctionDef) and s.name == "forward" for s in node.body)
    return has_forward or not bases.isdisjoint(("Module", "LightningModule"))


def is_model(target: str) -> bool:
    """Whether a target is module:attr or path/file.py:attr, and neither a path nor source text.

    An existing file is a path, even with a colon in its name: reading must import nothing.
    """
    if "\n" in target or ":" not in target.rpartition("/")[2]:
        return False
    return not target.endswith(discover.SUFFIXES) and not os.path.lexists(target)
