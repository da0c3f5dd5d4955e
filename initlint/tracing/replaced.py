"""Imports files with replaced text, for example that of a rewrite."""

from __future__ import annotations

import contextlib
import importlib.machinery
import linecache
import os
from collections.abc import Iterator, Mapping
from types import CodeType

from initlint.project.sourcefiles import Texts


@contextlib.contextmanager
def replaced(texts: Mapping[str, bytes]) -> Iterator[None]:
    """While it lasts, the import system and tracebacks find these texts in the files' place."""
    files = Texts(texts)
    by_path = files.all()
    before = {path: linecache.cache.get(path) for path in by_path}
    for path, text in by_path.items():
        lines = [f"{line}\n" for line in files.lines(path)]
        linecache.cache[path] = (len(text), None, lines, path)
    loaders = importlib.machinery.SourceFileLoader
    original = loaders.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        text = by_path.get(os.path.realpath(loader.path))
        if text is None:
            return original(loader, name)
        return loader.source_to_code(text, loader.path)

    setattr(loaders, "get_code", get_code)  # noqa: B010
    try:
        yield
    finally:
        for path, entry in before.items():
            linecache.cache.pop(path, None)
            if entry is not None:
                linecache.cache[path] = entry
        setattr(loaders, "get_code", original)  # noqa: B010
