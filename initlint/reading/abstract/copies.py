"""Copies of values: new layers with new parameters, made where the copy was."""

from __future__ import annotations

from dataclasses import replace

from initlint.reading.abstract.holders import Instance, Listing, Table
from initlint.reading.abstract.parts import is_content, mapped, parts_of, rebuilt
from initlint.reading.abstract.values import Fresh, Held, Kept, Slot, Value
from initlint.records import Site
from initlint.torchlib.draws import UNCLEAR


def copied(value: Value, site: Site | None, home: Instance | None) -> Value:
    """The result of copy.deepcopy at the line `site`, in the constructor of `home`."""
    known: dict[int, Value] = {}

    def twin(part: Value) -> Value:
        if isinstance(part, Slot):
            holder = known.get(id(part.holder), part.holder)
            made = part.holder.site if part.holder is not None else None
            origin = part.origin or made or part.site
            return replace(part, holder=holder, home=home, site=site, origin=origin)
        if isinstance(part, Kept):
            return Kept(twin(part.slot))
        if isinstance(part, Fresh):
            return Fresh(part.shape, part.draw, arms=part.arms)
        if isinstance(part, Held):
            is_whole = not (part.part or part.reparametrised)
            return Fresh(part.shape, part.slot.draw if is_whole else UNCLEAR)
        return part

    made = mapped(value, twin, _is_copied, known)
    for module in known.values():
        if isinstance(module, Instance):
            module.site, module.owner = site, None
            overrides = module.overrides.items()
            module.overrides = {known.get(id(slot), slot): draw for slot, draw in overrides}
    return made


def _is_copied(value: Value) -> bool:
    """Whether a deep copy of a value copies its parts; functions are not copied."""
    return is_content(value) or isinstance(value, Instance)


def shallow(value: Value) -> Value:
    """The result of copy.copy: a new list, table or object with the same content."""
    is_copied = isinstance(value, (Listing, Table, Instance))
    return rebuilt(value, parts_of(value)) if is_copied else value
