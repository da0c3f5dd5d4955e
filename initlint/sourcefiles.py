"""The lines of source files, decoded as Python does."""

from __future__ import annotations

import linecache
import os


def lines_of(path: str) -> list[str]:
    """All lines of `path` as it is now, without their ends; none where it cannot be read.

    Goes through linecache, so that text which only stands for the file's own is seen here too.
    """
    real = os.path.realpath(path)
    linecache.checkcache(real)
    return [line.removesuffix("\n") for line in linecache.getlines(real)]
