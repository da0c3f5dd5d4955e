"""`init.lock`: how every parameter starts, in a file that is committed beside the code."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from initlint.project.starts import Place, Start, Starts, Write
from initlint.records import InitlintError
from initlint.safe.regular import read_regular
from initlint.safe.shown import cut
from initlint.safe.written import write_whole

NAME = "init.lock"
_VERSION = 1
_LARGEST = 100_000_000
_KNOWN = {"initializer", "mean", "std", "args", "part", "certain"}


def write(file: Path, every: Starts) -> None:
    """Write the file: sorted, one parameter a line, without line numbers."""
    lines = ["{", f' "version": {_VERSION},', ' "parameters": [']
    entries = [
        json.dumps([*place, [_as_data(start) for start in every[place]]], ensure_ascii=False)
        for place in sorted(every)
    ]
    text = "\n".join([*lines, ",\n".join(f"  {entry}" for entry in entries), " ]", "}", ""])
    write_whole(os.path.relpath(file), text.encode("utf-8", "backslashreplace"), "--file")


def read(file: Path) -> Starts:
    """What the file says. Raises InitlintError if there is none, or it is another file."""
    name = os.path.relpath(file)
    try:
        content = json.loads(read_regular(file, _LARGEST))
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            raise ValueError(f'it has no "version": {_VERSION}')
        return dict(map(_parsed, content.get("parameters") or []))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InitlintError(
            f"{name}: cannot be read: {reason}; `initlint lock` writes it"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = f"{name}: no lock file: {cut(str(error))}"
        raise InitlintError(f"{what}; `initlint lock` writes a new one") from None


def within(
    every: Starts,
    root: Path,
    files: Collection[str],
    models: Collection[str],
    is_whole: bool,
) -> Starts:
    """The part of a lock file that a run over `files` and `models` can tell about.

    That is all of these files and the named models. If the run `is_whole`, also the files that do
    not exist any more; else they may have another name in a part that was not read.
    """
    read = {os.path.relpath(file, root).replace(os.sep, "/") for file in files}
    return {
        place: kept
        for place, kept in every.items()
        if place.path in read
        or place.model in models
        or (is_whole and not os.path.lexists(root / place.path))
    }


def _as_data(start: Start) -> dict[str, Any]:
    writes = []
    for write in start.writes:
        data: dict[str, Any] = {"initializer": write.initializer}
        if write.std is None:
            data["args"] = dict(write.args)
        else:
            data |= {"mean": _number(write.mean), "std": _number(write.std)}
        data |= {"part": True} if write.part else {}
        data |= {} if write.certain else {"certain": False}
        writes.append(data)
    shape = None if start.shape is None else list(start.shape)
    return {"shape": shape, "writes": writes}


def _number(value: float | None) -> float | None:
    """A number with the digits that are compared."""
    return None if value is None else float(f"{value:.8g}")


def _parsed(entry: Any) -> tuple[Place, tuple[Start, ...]]:
    path, model, parameter, found = entry
    if not all(isinstance(text, str) for text in (path, model, parameter)):
        raise ValueError("an entry begins with file, model and parameter")
    return Place(path, model, parameter), tuple(map(_start, found))


def _start(data: Any) -> Start:
    shape = None if data["shape"] is None else tuple(data["shape"])
    return Start(shape, tuple(map(_write, data["writes"])))


def _write(data: Any) -> Write:
    strange = set(data) - _KNOWN
    if strange:
        raise ValueError(f"{min(strange)!r} is no key of a write")
    numbers = (data.get("mean"), data.get("std"))
    if not all(value is None or isinstance(value, int | float) for value in numbers):
        raise ValueError("mean and std are numbers")
    rest = (data.get("args", {}), data.get("part", False), data.get("certain", True))
    return Write(str(data["initializer"]), *numbers, *rest)
