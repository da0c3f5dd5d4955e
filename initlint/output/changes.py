"""What differs between two versions: text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from initlint.output.json import plain
from initlint.output.lines import as_json
from initlint.output.phrases import counted
from initlint.project.starts import Change, Compared, Start, Write
from initlint.safe.shown import shown

# So many parameters that differ in the same way are named, the others counted.
_MOST = 3


def render(found: Compared, form: str = "text") -> str:
    """All changes, by model."""
    if form == "json":
        return as_json(
            {
                "changes": [_as_data(change) for change in found.changes],
                "alike": found.alike,
                "unclear": [place._asdict() for place in found.unclear],
            }
        )
    return "".join(f"{shown(line)}\n" for line in _lines(found))


def summary(found: Compared) -> str:
    """The numbers in one line."""
    gone = sum(not change.new for change in found.changes)
    come = sum(not change.old for change in found.changes)
    differ = len(found.changes) - gone - come
    counts = [f"{counted(differ, 'parameter')} {'starts' if differ == 1 else 'start'} differently"]
    counts += [f"{come} added"] if come else []
    counts += [f"{gone} removed"] if gone else []
    counts += [f"{found.alike} alike"]
    if found.unclear:
        counts.append(f"{len(found.unclear)} not compared: what fills them is not understood")
    return f"{', '.join(counts)}."


def _lines(found: Compared) -> Iterator[str]:
    for (path, model), changes in groupby(found.changes, key=lambda change: change.place[:2]):
        yield f"{path}: {model}" if path else model
        told: dict[tuple[str, str, str], list[str]] = {}
        for change in changes:
            told.setdefault(_told(change), []).append(change.place.parameter)
        for (mark, old, new), names in told.items():
            more = f" and {len(names) - _MOST} more" if names[_MOST:] else ""
            yield f"  {mark} {', '.join(names[:_MOST])}{more}"
            if old:
                yield f"      was {old}"
            if new:
                yield f"      now {new}"


def _told(change: Change) -> tuple[str, str, str]:
    """A mark, and what was and what is now; a model that is made in several ways has several."""
    mark = "~" if change.old and change.new else "+" if change.new else "-"
    # Of a hook it is said what it does where it does not do so in both versions.
    tells = any(a.hooked_unlike(b) for a in change.old for b in change.new)
    sides = [[_start(start, tells) for start in side] for side in (change.old, change.new)]
    old, new = (" or ".join(dict.fromkeys(side)) for side in sides)
    return mark, old, new


_HOOKED = {"covered": ", filled by the hook _init_weights", "missed": ", left out by the hook"}


def _start(start: Start, tells_hook: bool) -> str:
    sizes = "unknown shape" if start.shape is None else _sizes(start.shape)
    writes = ", then ".join(map(_write, start.writes)) or "memory that nothing writes"
    sites = [write.site for write in start.writes if write.site]
    line = f" (line {sites[-1].line})" if sites else ""
    hooked = _HOOKED.get(start.hook, "") if tells_hook else ""
    return f"{sizes} {writes}{line}{hooked}"


def _sizes(shape: tuple[int | None, ...]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape) or "scalar"


def _write(write: Write) -> str:
    said = write.initializer.removesuffix("_") if write.known else "not understood"
    if write.std:
        said += f" std {write.std:.4g}" + (f" mean {write.mean:.4g}" if write.mean else "")
    elif write.initializer == "constant_" and write.mean is not None:
        said += f" {write.mean:.4g}"
    elif write.std is None:
        # Numbers that the code computes or takes from a configuration.
        given = {name: value for name, value in write.args.items() if isinstance(value, str)}
        said += "".join(f" {k} {v}" for k, v in given.items() if k not in ("mode", "nonlinearity"))
    said += " in a part" if write.part else ""
    return said if write.certain else f"perhaps {said}"


def _as_data(change: Change) -> dict[str, Any]:
    old, new = ([_data(start) for start in side] for side in (change.old, change.new))
    return {**change.place._asdict(), "old": old, "new": new}


def _data(start: Start) -> dict[str, Any]:
    return {
        "shape": None if start.shape is None else list(start.shape),
        "hook": start.hook or None,
        "writes": [
            {
                "initializer": write.initializer,
                "args": plain(dict(write.args)),
                "mean": write.mean,
                "std": write.std,
                "part": write.part,
                "certain": write.certain,
                "line": write.site.line if write.site else None,
            }
            for write in start.writes
        ],
    }
