"""Sorts the targets of a command line: models to build, files, standard input."""

from __future__ import annotations

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


def is_model(target: str) -> bool:
    """Whether a target is module:attr or path/file.py:attr, and neither a path nor source text.

    An existing file is a path, even with a colon in its name: reading must import nothing.
    """
    if "\n" in target or ":" not in target.rpartition("/")[2]:
        return False
    return not target.endswith(discover.SUFFIXES) and not os.path.lexists(target)
