"""Equal modules that were made as one object become several once code picks one of them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from initlint.reading.abstract.holders import Instance, Listing
from initlint.reading.abstract.parts import reached
from initlint.reading.abstract.submodules import modules_of
from initlint.reading.abstract.values import Fresh, Held, Kept, Slot, Value
from initlint.reading.models.life import slots_of, twin
from initlint.reading.reader import Reader


def is_own(args: Sequence[Value]) -> bool:
    """Whether a module that a constructor made of these shares nothing with others."""
    return not any(
        isinstance(value, (Slot, Held, Fresh, Kept))
        or (isinstance(value, Instance) and value.torch)
        for value in reached(args)
    )


def set_apart(reader: Reader, holder: Value, picked: Value) -> bool:
    """Give each place of a holder an object of its own, if what was picked stands for several.

    `self.blocks[-1]` is the last of equal blocks, and what fills it does not fill the others.
    The data go through equal blocks alike: there one may stand for all.
    """
    if type(picked) is not Instance or not picked.stands_for or reader.drawing:
        return False
    if not isinstance(holder, (Instance, Listing)):
        return False
    held: Any = holder.attrs if isinstance(holder, Instance) else holder.items
    places = list(held) if isinstance(holder, Instance) else range(len(held))
    reader.budget.elements(len(held) // 8)
    others = [place for place in places if held[place] is picked][1:]
    for place in others[: picked.stands_for]:
        picked.stands_for -= 1
        held[place] = _twin(reader, picked)
    if reader.outside and others:
        reader.life.rebuild(holder)
    return bool(others)


def _twin(reader: Reader, one: Instance) -> Instance:
    """A module like one that stands for several, with what constructors around it wrote to it."""
    made = twin(one, ())
    made.stands_for = 0
    pairs = zip(slots_of(one), slots_of(made), strict=True)
    slots = {slot: own for (_, slot), (_, own) in pairs}
    reader.budget.elements(len(slots))
    reader.life.split(one, made)
    for _, module in [pair for builder in reader.builders for pair in modules_of(builder)]:
        written = [slot for slot in module.overrides if slot in slots]
        module.overrides.update({slots[slot]: copy(module.overrides[slot]) for slot in written})
    return made
