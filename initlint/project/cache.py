"""A cache of the result of reading unchanged files, as JSON, never as code."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from initlint import __version__
from initlint.project.cachefolder import of_project
from initlint.records import Following, Initializer, Layer, Site, Unanalysed
from initlint.torchlib import catalog

Layers = tuple[Layer, ...]
Gaps = tuple[Unanalysed, ...]


def cached(
    files: Mapping[str, bytes], compute: Callable[[], tuple[Layers, Gaps]]
) -> tuple[Layers, Gaps]:
    """The result of `compute`, or the cached one if the files are unchanged.

    An entry's name is a hash of the paths and contents of all files, the tables in `rules/`, and
    the version and files of initlint. A folder that cannot be made or an entry that cannot be read
    counts as none.
    """
    with of_project() as folder:
        if folder is None:
            return compute()
        name = f"{_key(files)}.json"
        kept = folder.read(name)
        if kept is not None:
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                return _decoded(json.loads(kept))
        result = compute()
        with contextlib.suppress(OSError):
            folder.write(name, json.dumps(_encoded(result), separators=(",", ":")).encode())
        return result


def _key(files: Mapping[str, bytes]) -> str:
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for content in catalog.tables():
        digest.update(content)
    digest.update(repr(_code()).encode())
    for path, content in files.items():
        digest.update(f"\0{path}\0{len(content)}\0".encode("utf-8", "surrogatepass"))
        digest.update(content)
    return digest.hexdigest()


def _code() -> list[tuple[str, int]]:
    """When each file of initlint was written: two revisions may have one version."""
    package = Path(__file__).parents[1]
    return sorted((str(path), path.stat().st_mtime_ns) for path in package.rglob("*.py"))


def _encoded(result: tuple[Layers, Gaps]) -> Any:
    layers, gaps = result
    return [[_row(layer) for layer in layers], [_row(gap) for gap in gaps]]


def _row(record: Any) -> Any:
    """A record as the list of its fields' values, in their order."""
    if hasattr(record, "__dataclass_fields__"):
        return [_row(getattr(record, field.name)) for field in fields(record)]
    return dict(record) if isinstance(record, Mapping) else record


def _decoded(entry: Any) -> tuple[Layers, Gaps]:
    rows, gaps = entry
    return tuple(map(_layer, rows)), tuple(Unanalysed(*gap) for gap in gaps)


_NAMES = [field.name for field in fields(Layer)]


def _layer(row: Iterable[Any]) -> Layer:
    values = dict(zip(_NAMES, row, strict=True))
    values["shape"] = tuple(values["shape"])
    values["following"] = _following(*values["following"])
    values["site"] = Site(*values["site"]) if values["site"] else None
    for name in ("current", "recommended"):
        values[name] = _initializer(*values[name]) if values[name] else None
    return Layer(**values)


def _following(activation: str, args: dict[str, Any], via: list[str]) -> Following:
    if "activations" in args:
        args["activations"] = tuple(args["activations"])
    return Following(activation, args, tuple(via))


def _initializer(*values: Any) -> Initializer:
    name, args, std, default, site, *rest = values
    return Initializer(name, args, std, default, Site(*site) if site else None, *rest)
