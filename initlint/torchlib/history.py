"""The history of a parameter: each draw knows the one that it has overwritten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from initlint import records
from initlint.torchlib.draws import UNCLEAR, Draw, drawn_by

# Of more writes to one tensor the first ones and the last are kept.
_MOST = 32


def after(draw: Draw, before: Draw, through: str = "") -> Draw:
    """`draw`, by the function `through`, as the next entry of the history that `before` ends.

    What torch's own constructor draws several times at one line counts as one entry, the last; so
    do several writes of which nothing is known.
    """
    by = whose(draw)
    again = by == whose(before) and draw.site == before.site and by in ("torch", "unclear")
    if again or not before.name or before.count >= _MOST:
        return draw.next_to(before.before, before.count, through)
    return draw.next_to(before, before.count + 1, through)


def perhaps(draw: Draw) -> Draw:
    """What a tensor holds after `draw` under an undecided condition: unclear, but noted."""
    shown = draw.perhaps or draw
    return Draw(UNCLEAR.name, site=draw.site, spelled=draw.spelled, perhaps=shown)


def whose(draw: Draw) -> str:
    """Who wrote: torch, user, load, copy or unclear."""
    if draw.by:
        return draw.by
    if draw.default:
        return "torch"
    return "unclear" if draw.name == UNCLEAR.name and not draw.spelled else "user"


def entries(draw: Draw, shape: tuple[int | None, ...] | None) -> tuple[records.Draw, ...]:
    """The history that ends with `draw`, the first write first, of a parameter of this shape."""
    found = []
    last: Draw | None = draw
    while last is not None:
        if last.name:
            found.append(_entry(last, shape))
        last = last.before
    return tuple(reversed(found))


def _entry(draw: Draw, shape: tuple[int | None, ...] | None) -> records.Draw:
    shown = draw.perhaps or draw
    args = {name: _plain(value) for name, value in shown.args.items()}
    mean, std = _moments(shown, args, shape)
    return records.Draw(
        spelled=shown.spelled,
        name=shown.name,
        args=args,
        mean=mean,
        std=std,
        part=shown.part,
        by=whose(shown),
        site=draw.site,
        certain=draw.perhaps is None,
        through=draw.through,
        visited=draw.visited,
        nested=draw.nested,
    )


def _moments(
    draw: Draw, args: Mapping[str, Any], shape: tuple[int | None, ...] | None
) -> tuple[float | None, float | None]:
    """Mean and std as far as they are known."""
    mean, std = draw.mean, draw.std
    if std is None and draw.name != UNCLEAR.name:
        sizes = tuple(size for size in shape or () if size is not None)
        is_whole = shape is not None and len(sizes) == len(shape)
        known = drawn_by(draw.name, args, sizes if is_whole else None)
        mean, std = known.mean, known.std
    if mean is None or std is None or not math.isfinite(std + mean + draw.offset):
        return None, None
    return mean + draw.offset, std


def _plain(value: Any) -> Any:
    """An argument that is known: a number or a text; None for one that is only a name."""
    return value if isinstance(value, (int, float, str)) else None
