"""Source files, each read once: their bytes, and their lines, of notebooks the code cells'."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from initlint.records import InitlintError, Report, Site
from initlint.safe.regular import limit_of, read_regular

if TYPE_CHECKING:
    from initlint.project.notebooks import Notebook

NOTEBOOK = ".ipynb"
_NOTEBOOKS = re.compile(r"[^\s:()]+\.ipynb(?=:\d)")


class Texts:
    """The source files of a run: all steps (judge, show, silence, rewrite) use the same bytes.

    A file is read at its first use, and never again, because it may change meanwhile. `given` has
    text that replaces files on the disk, or was read before. Several paths of one file give the
    same bytes.
    """

    def __init__(self, given: Mapping[str, bytes] | None = None) -> None:
        self._places: dict[str, str] = {}
        self._held: dict[str, bytes | OSError] = {}
        self._lines: dict[str, list[str]] = {}
        for path, source in (given or {}).items():
            self._held[self.place(path)] = source

    def place(self, path: str) -> str:
        """Where a path led when it was first asked about."""
        if path not in self._places:
            self._places[path] = real(path)
        return self._places[path]

    def __contains__(self, path: str) -> bool:
        """Whether a file was read already."""
        return isinstance(self._held.get(self.place(path)), bytes)

    def source(self, path: str) -> bytes:
        """The bytes of a file. Raises OSError at every call if it cannot be read."""
        place = self.place(path)
        if place not in self._held:
            try:
                self._held[place] = read_regular(path, limit_of(path))
            except OSError as error:
                self._held[place] = error
        held = self._held[place]
        if isinstance(held, OSError):
            raise held
        return held

    def lines(self, path: str) -> list[str]:
        """All lines of a file, without their ends; none if it cannot be read."""
        if path not in self._lines:
            self._lines[path] = self._lines_of(path)
        return self._lines[path]

    def _lines_of(self, path: str) -> list[str]:
        try:
            if path.endswith(NOTEBOOK):
                return self.notebook(path).text.split("\n")[:-1]
            return _lines(self.source(path))
        except InitlintError:
            return []
        except OSError:
            # Code of an interactive session is not in a file.
            entry = linecache.cache.get(path, ())
            typed = entry[2] if len(entry) > 2 else []
            return [line.removesuffix("\n") for line in typed]

    def notebook(self, path: str) -> Notebook:
        """A notebook as Python. Raises InitlintError where there is none to be read."""
        from initlint.project import notebooks

        try:
            return notebooks.parsed(self.source(path))
        except OSError as error:
            raise InitlintError(f"{path}: cannot be read: {error.strerror}") from error
        except InitlintError as error:
            raise InitlintError(f"{path}: {error}") from error

    def python(self, path: str) -> bytes:
        """The Python that sites in a file count lines of; b"" where it cannot be read."""
        try:
            if path.endswith(NOTEBOOK):
                return self.notebook(path).text.encode("utf-8", "surrogatepass")
            return self.source(path)
        except (OSError, InitlintError):
            return b""

    def in_cell(self, site: Site) -> tuple[int, Site]:
        """The cell of a notebook that a site is in, and the site in that cell; 0 elsewhere."""
        if not site.path.endswith(NOTEBOOK):
            return 0, site
        cell, line = self.notebook(site.path).locate(site.line)
        return cell, replace(site, line=line, end_line=line + site.end_line - site.line)

    def with_cells(self, message: str, path: str) -> str:
        """A message in which the lines of notebooks are those of their cells.

        `path` is the file that it is about, whose name may have spaces.
        """
        if f"{NOTEBOOK}:" not in message:
            return message
        own = [path] if path.endswith(NOTEBOOK) else []
        for name in dict.fromkeys([*own, *_NOTEBOOKS.findall(message)]):
            # The message may be that it cannot be read.
            with contextlib.suppress(InitlintError):
                message = self._counted(message, name)
        return message

    def _counted(self, message: str, path: str) -> str:
        notebook = self.notebook(path)

        def in_cell(found: re.Match[str]) -> str:
            cell, line = notebook.locate(int(found[1]))
            return f"{path}:cell {cell}:{line}"

        return re.sub(re.escape(path) + r":(\d+)\b", in_cell, message)

    def all(self) -> dict[str, bytes]:
        """All bytes that are here, by path."""
        return {place: held for place, held in self._held.items() if isinstance(held, bytes)}

    def changed(self, texts: Mapping[str, bytes]) -> Texts:
        """These files, some of them with other bytes."""
        return self._holding(self._held | {self.place(path): new for path, new in texts.items()})

    def only(self, paths: Iterable[str]) -> Texts:
        """The files of these paths, read if they were not yet."""
        places = set()
        for path in paths:
            self.lines(path)
            places.add(self.place(path))
        return self._holding({place: held for place, held in self._held.items() if place in places})

    def _holding(self, held: Mapping[str, bytes | OSError]) -> Texts:
        texts = Texts()
        texts._places, texts._held = dict(self._places), dict(held)
        return texts


def texts_of(report: Report) -> Texts:
    """The text of a report's files as it was read for it; without it, as it is now."""
    return report.texts or Texts()


def real(path: str) -> str:
    """`path` with its links resolved; unchanged if no file can have such a name."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def decoded(source: bytes) -> str:
    """A file's text in the encoding that it names."""
    return source.decode(_encoding(source), "replace")


def encoded(text: str) -> bytes:
    """A file's bytes in the encoding that its text names, if that has all the characters."""
    source = text.encode()
    try:
        return text.encode(_encoding(source))
    except UnicodeEncodeError:
        return source


@lru_cache(maxsize=16)
def _lines(source: bytes) -> list[str]:
    """The lines without their ends, decoded as Python does."""
    lines = io.TextIOWrapper(io.BytesIO(source), _encoding(source), "replace").readlines()
    return [line.removesuffix("\n") for line in lines]


def _encoding(source: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    except SyntaxError:
        return "utf-8"
