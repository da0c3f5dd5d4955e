"""Copies of modules: new layers with new parameters, made where the copy was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from initlint.reading.values import Fresh, Instance, Listing, Slot, Table, Value
from initlint.records import Site


def copied(value: Value, site: Site | None, home: Any) -> Value:
    """What copy.deepcopy gives of a value at the line `site`, in the constructor of `home`."""
    return _copied(value, site, home, {})


def _copied(value: Value, site: Site | None, home: Any, known: dict[int, Value]) -> Value:
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, Instance):
        twin = replace(value, site=site, attrs={}, templates={}, owner=None)
        known[id(value)] = twin
        for name, item in value.attrs.items():
            twin.attrs[name] = _copied(item, site, home, known)
        return twin
    if isinstance(value, Slot):
        holder = known.get(id(value.holder), value.holder)
        slot = replace(value, holder=holder, home=home, site=site)
        known[id(value)] = slot
        return slot
    if isinstance(value, Fresh):
        return Fresh(value.shape, value.draw, arms=value.arms)
    if isinstance(value, Listing):
        known[id(value)] = listing = Listing([], value.open)
        listing.items += [_copied(v, site, home, known) for v in value.items]
        return listing
    if isinstance(value, Table):
        known[id(value)] = table = Table({}, value.open)
        table.items.update({k: _copied(v, site, home, known) for k, v in value.items.items()})
        return table
    return value
