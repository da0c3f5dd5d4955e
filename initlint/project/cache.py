"""A cache of the result of reading unchanged files, as JSON, never as code."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from initlint import __version__
from initlint.project.cachefolder import of_project
from initlint.records import (
    Call,
    Draw,
    Following,
    Initializer,
    Layer,
    Parameter,
    Signal,
    Site,
    Test,
    Unanalysed,
    Whole,
)
from initlint.torchlib import catalog


class Reading(NamedTuple):
    """What files come to: layers, parameters, calls, tests, and what of them could not be read."""

    layers: tuple[Layer, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    calls: tuple[Call, ...] = ()
    tests: tuple[Test, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()


def cached(files: Mapping[str, bytes], asked: object, compute: Callable[[], Reading]) -> Reading:
    """The result of `compute`, or the cached one if the files are unchanged.

    `asked` is what else decides about it. An entry's name is a hash of that, the paths and
    contents of all files, the tables in `rules/`, and the version and files of initlint. A folder
    that cannot be made or an entry that cannot be read counts as none.
    """
    with of_project() as folder:
        if folder is None:
            return compute()
        name = f"{_key(files, asked)}.json"
        kept = folder.read(name)
        if kept is not None:
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                return _decoded(json.loads(kept))
        result = compute()
        with contextlib.suppress(OSError):
            folder.write(name, json.dumps(_encoded(result), separators=(",", ":")).encode())
        return result


def _key(files: Mapping[str, bytes], asked: object) -> str:
    digest = hashlib.blake2b(
        f"{__version__} {asked!r}".encode("utf-8", "surrogatepass"), digest_size=16
    )
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


def _encoded(found: Reading) -> Any:
    return [[_row(record) for record in getattr(found, name)] for name in Reading._fields]


def _row(record: Any) -> Any:
    """A record as the list of its fields' values, in their order."""
    if hasattr(record, "__dataclass_fields__"):
        return [_row(getattr(record, field.name)) for field in fields(record)]
    if isinstance(record, tuple):
        return [_row(member) for member in record]
    return dict(record) if isinstance(record, Mapping) else record


def _decoded(entry: Any) -> Reading:
    layers, parameters, calls, tests, gaps = entry
    return Reading(
        tuple(map(_layer, layers)),
        tuple(map(_parameter, parameters)),
        tuple(map(_call, calls)),
        tuple(map(_test, tests)),
        tuple(Unanalysed(*gap) for gap in gaps),
    )


def _named(kind: type, row: Iterable[Any]) -> dict[str, Any]:
    """The values of a record's fields by name."""
    names = [field.name for field in fields(kind)]
    return dict(zip(names, row, strict=True))


def _layer(row: Iterable[Any]) -> Layer:
    values = _named(Layer, row)
    values["shape"] = tuple(values["shape"])
    values["following"] = _following(*values["following"])
    values["site"] = _site(values["site"])
    values["signal"] = Signal(*values["signal"]) if values["signal"] else None
    values["wholes"] = tuple(map(_whole, values["wholes"]))
    for name in ("current", "recommended"):
        values[name] = _initializer(*values[name]) if values[name] else None
    return Layer(**values)


def _whole(row: Iterable[Any]) -> Whole:
    values = _named(Whole, row)
    return Whole(**values | {name: tuple(values[name]) for name in ("layers", "inner")})


def _parameter(row: Iterable[Any]) -> Parameter:
    values = _named(Parameter, row)
    values["shape"] = None if values["shape"] is None else tuple(values["shape"])
    values["site"] = _site(values["site"])
    values["history"] = tuple(map(_draw, values["history"]))
    return Parameter(**values)


def _draw(row: Iterable[Any]) -> Draw:
    values = _named(Draw, row)
    return Draw(**{**values, "site": _site(values["site"])})


def _call(row: Iterable[Any]) -> Call:
    values = _named(Call, row)
    return Call(**{**values, "site": _site(values["site"]), "targets": tuple(values["targets"])})


def _test(row: Iterable[Any]) -> Test:
    values = _named(Test, row)
    lists = {name: tuple(values[name]) for name in ("wanted", "asked", "missed", "calls")}
    return Test(**{**values, **lists, "site": _site(values["site"])})


def _site(row: Sequence[Any] | None) -> Site | None:
    return Site(*row) if row else None


def _following(activation: str, args: dict[str, Any], via: list[str], by: str) -> Following:
    if "activations" in args:
        args["activations"] = tuple(args["activations"])
    return Following(activation, args, tuple(via), by)


def _initializer(*values: Any) -> Initializer:
    name, args, std, default, site, *rest = values
    return Initializer(name, args, std, default, _site(site), *rest)
