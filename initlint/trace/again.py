"""Build and judge targets once more in a process of their own, with some files' text replaced."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import linecache
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

from initlint.records import InitlintError, Report

Signatures = Mapping[str, Mapping[str, tuple[int, ...]]]


def checked_again(
    targets: Sequence[str], options: Any, replaced: Mapping[str, bytes]
) -> tuple[Report, Signatures]:
    """The report on `targets` and their state dicts' shapes, as if the files held other text.

    `replaced` gives the text by path. A new process imports everything afresh, so that nothing of
    the present one (registries, modules already imported) is touched or in the way. Raises
    InitlintError where that process fails.
    """
    request = pickle.dumps((list(targets), options, dict(replaced)))
    command = [sys.executable, "-c", "from initlint.trace.again import answer; answer()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, input=request, capture_output=True, check=False, env=environment)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise InitlintError(f"the rewritten model could not be built: {' '.join(last)}")
    report, signatures = pickle.loads(done.stdout)
    return report, signatures


def answer() -> None:
    """Serve one request from standard input: what the other process runs."""
    results = os.fdopen(os.dup(1), "wb")
    # The user's modules may print while they are imported: that must not end up in the answer.
    os.dup2(2, 1)
    targets, options, replaced = pickle.load(sys.stdin.buffer)
    _replace(replaced)
    from initlint.api import judged

    with results:
        pickle.dump(judged(targets, options), results)


def _replace(texts: Mapping[str, bytes]) -> None:
    """Let the import system and tracebacks see these texts instead of the files' own."""
    by_path = {os.path.realpath(path): text for path, text in texts.items()}
    for path, text in by_path.items():
        lines = importlib.util.decode_source(text).splitlines(keepends=True)
        linecache.cache[path] = (len(text), None, lines, path)
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        text = by_path.get(os.path.realpath(loader.path))
        if text is None:
            return original(loader, name)
        return loader.source_to_code(text, loader.path)

    setattr(importlib.machinery.SourceFileLoader, "get_code", get_code)  # noqa: B010
