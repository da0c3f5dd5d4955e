"""The lines of source files, decoded as Python does; those of notebooks are their code cells'."""

from __future__ import annotations

import io
import linecache
import os
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from initlint.records import InitlintError, Site
from initlint.regular import limit_of, read_regular

NOTEBOOK = ".ipynb"


def lines_of(path: str) -> list[str]:
    """All lines of `path` as it is now, without their ends; none where it cannot be read."""
    if path.endswith(NOTEBOOK):
        return _cells_of(path)
    try:
        return [line.removesuffix("\n") for line in _lines(source_of(path))]
    except OSError:
        return []


def real(path: str) -> str:
    """`path` with its links resolved; as it is where no file can have such a name."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def in_cell(site: Site) -> tuple[int, Site]:
    """The cell of a notebook that a site is in, and the site in that cell; 0 elsewhere."""
    if not site.path.endswith(NOTEBOOK):
        return 0, site
    from initlint import notebooks

    cell, line = notebooks.opened(site.path).locate(site.line)
    return cell, replace(site, line=line, end_line=line + site.end_line - site.line)


def cell_lines(path: str, cell: int) -> list[str]:
    """The lines of one cell of a notebook."""
    from initlint import notebooks

    return notebooks.opened(path).lines(cell)


@contextmanager
def standing_in(texts: Mapping[str, bytes]) -> Iterator[None]:
    """Let the sources by path be what the files hold, whatever is on the disk, for a while."""
    places = {real(path): source for path, source in texts.items()}
    before = {place: linecache.cache.get(place) for place in places}
    linecache.cache.update({place: _entry(place, source) for place, source in places.items()})
    try:
        yield
    finally:
        for place, entry in before.items():
            linecache.cache.pop(place, None)
            if entry is not None:
                linecache.cache[place] = entry


def source_of(path: str) -> bytes:
    """The bytes that stand for the file at `path`, or those on the disk.

    Raises OSError for what is no regular file, or too large to be source code.
    """
    entry = linecache.cache.get(real(path))
    return entry.source if isinstance(entry, _Entry) else read_regular(path, limit_of(path))


def text_of(path: str) -> bytes:
    """The Python that sites in the file at `path` count lines of; b"" where it cannot be read."""
    try:
        if path.endswith(NOTEBOOK):
            from initlint import notebooks

            return notebooks.opened(path).text.encode()
        return source_of(path)
    except (OSError, InitlintError):
        return b""


class _Entry(tuple[int, None, list[str], str]):
    """An entry of linecache that knows the bytes that it was made from."""

    source: bytes


def _entry(place: str, source: bytes) -> _Entry:
    entry = _Entry((len(source), None, _lines(source), place))
    entry.source = source
    return entry


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
    return io.TextIOWrapper(io.BytesIO(source), _encoding(source), "replace").readlines()


def _encoding(source: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    except SyntaxError:
        return "utf-8"


def _cells_of(path: str) -> list[str]:
    from initlint import notebooks

    try:
        return notebooks.opened(path).text.split("\n")[:-1]
    except InitlintError:
        return []
