"""The lines of source files as Python decodes them, each file read once."""

from __future__ import annotations

import tokenize


class SourceFiles:
    """Lines by path, without their ends; none for a file that cannot be read or decoded."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def lines(self, path: str) -> tuple[str, ...]:
        """All lines of `path`."""
        if path not in self._known:
            self._known[path] = _read(path)
        return self._known[path]


def _read(path: str) -> tuple[str, ...]:
    try:
        with tokenize.open(path) as file:
            return tuple(line.removesuffix("\n") for line in file)
    except (OSError, SyntaxError, ValueError):
        return ()
