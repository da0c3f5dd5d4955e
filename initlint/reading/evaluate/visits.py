"""What loops over modules and parameters, and the callbacks of `apply`, are at."""

from __future__ import annotations

from typing import NamedTuple

from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.values import Held, Slot, Value


class Visit(NamedTuple):
    """What a loop or a callback is at: the item, the module or parameter in it, and its name."""

    item: Value
    thing: Value
    name: str


def visit_of(item: Value) -> Visit | None:
    """What a loop is at whose target is bound to this item; None for neither module nor parameter.

    A pair of a name and a module is the item of `named_modules()`.
    """
    if isinstance(item, Instance):
        return Visit(item, item, "") if item.torch else None
    if isinstance(item, (Slot, Held)):
        return Visit(item, item, "")
    if isinstance(item, str):
        return Visit(item, None, item)
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
        inner = visit_of(item[1]) if not isinstance(item[1], (str, tuple)) else None
        return Visit(item, inner.thing, item[0]) if inner is not None else None
    return None
