"""Writes to parameters: what one holds afterwards, under which conditions, and in which loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from initlint.reading.abstract.holders import Instance, Listing
from initlint.reading.abstract.values import Fresh, Resumed, Slot, Sym, Value, known_number
from initlint.reading.objects.use import Use
from initlint.reading.reader import Reader, Walk
from initlint.records import Site
from initlint.torchlib.draws import ARGUMENTS, UNCLEAR, Draw, drawn_by
from initlint.torchlib.history import after, perhaps


def write(reader: Reader, slot: Slot | Fresh, draw: Draw) -> None:
    """A parameter is filled; under a condition that its layer does not share, who knows."""
    reader.acts += 1
    if reader.still or slot in reader.life.frozen:
        return
    if reader.hooking is not None:
        reader.covered[reader.hooking].add(slot)
    before = _before(reader, slot)
    is_news = isinstance(slot, Slot) and (draw.name, before.name) != (UNCLEAR.name,) * 2
    reader.life.changes += is_news
    sure = draw
    if not reader.is_certain(slot) and not is_same(before, draw):
        draw = perhaps(draw)
    entry = after(draw, before, reader.within())
    if reader.walks and isinstance(slot, Slot):
        entry.visited, entry.nested = _reached(reader, slot)
    if draw is not sure and reader.outside and isinstance(slot, Slot):
        reader.undecided.append((slot, entry, after(sure, before, reader.within())))
    if isinstance(slot, Fresh):
        slot.draw = entry
        for parameter in slot.slots:
            write(reader, parameter, draw)
        if slot.base is not None:
            write(reader, slot.base, UNCLEAR.at(draw.site))
    elif reader.constructing is None or slot.home is reader.constructing:
        slot.draw = entry
    else:
        reader.constructing.overrides[slot] = entry
        reader.altered += 1


def load(reader: Reader, slot: Slot, loaded: Draw) -> None:
    """A parameter gets what a file holds.

    A load under a condition (`if resume:`) changes nothing about how a fresh model begins.
    """
    is_tried, is_left = reader.trying > 0, any(frame.left for frame in reader.frames)
    if reader.is_certain(slot) and not is_tried and not is_left:
        write(reader, slot, loaded)
    else:
        slot.resumed = Resumed(perhaps(loaded), reader.arms, reader.constructing, is_tried)
        reader.resumed.append(slot)


def loaded_here(reader: Reader) -> dict[Slot, Resumed]:
    """What has been loaded wherever the present code runs, though not on every way past it."""
    reader.budget.elements(len(reader.resumed))
    found = {}
    for slot in reader.resumed:
        load = slot.resumed
        if load is not None and not load.tried and reader.arms[: len(load.arms)] == load.arms:
            found[slot] = load
    return found


def load_either_way(reader: Reader, ways: Sequence[Mapping[Slot, Resumed | None]]) -> None:
    """What every way from a condition has loaded is loaded, whichever is gone."""
    for slot, found in ways[0].items():
        if found is not None and all(slot in way for way in ways):
            load(reader, slot, found.draw.perhaps or found.draw)


def _before(reader: Reader, slot: Slot | Fresh) -> Draw:
    """What a parameter holds now, with a load under a condition that surely comes before."""
    before = reader.drawn(slot)
    load = slot.resumed if isinstance(slot, Slot) else None
    if load is None or load.by not in (None, reader.constructing, getattr(slot, "home", None)):
        return before
    is_lost = load.arms[: len(reader.arms)] == reader.arms
    return after(load.draw, before) if is_lost else before


def walked(reader: Reader, value: Value, items: Sequence[Value]) -> Iterator[Value]:
    """The items that a loop over a value goes through, each noted when it is reached."""
    whole = value.whole if type(value) is Listing else None
    if whole is None:
        yield from items
        return
    walk = Walk(whole)
    reader.walks.append(walk)
    try:
        for item in items:
            walk.item = item
            while isinstance(walk.item, tuple) and walk.item:
                walk.item = walk.item[-1]
            yield item
    finally:
        reader.walks.remove(walk)


def _reached(reader: Reader, slot: Slot) -> tuple[int, bool]:
    """How many modules a loop visits to reach a parameter, and whether it is nested."""
    for walk in reversed(reader.walks):
        if walk.item is slot or walk.item is slot.holder:
            most = max(each.count() for each in reader.walks)
            is_inner = any(outer.item is walk.whole for outer in reader.walks)
            is_all = walk.item is slot and slot.holder is not walk.whole
            return most, is_inner and is_all
    return 0, False


def settle(reader: Reader, begun: int, ended: int) -> None:
    """What was written here under a condition holds for every model that begins afresh."""
    for slot, entry, sure in reader.undecided[begun:ended]:
        if slot.draw is entry and reader.is_certain(slot):
            slot.draw = sure


def redrawn(use: Use, owner: Instance) -> Use:
    """A weight as `owner`, in whose constructor it may have been filled, leaves it."""
    draw = owner.overrides.get(use.slot)
    return use if draw is None else use.holding(draw)


def is_same(one: Draw, other: Draw) -> bool:
    """Whether two draws have the same distribution."""
    is_alike = one.name == other.name != "unknown" and one.args == other.args
    return bool(is_alike and (one.mean, one.offset) == (other.mean, other.offset))


def drawn_with(
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    site: Site | None,
    spelled: str,
) -> Draw:
    """A draw whose std is worked out in the end, when the parameter's shape is settled."""
    defaults = ARGUMENTS.get(name)
    if defaults is None:
        return UNCLEAR.at(site, spelled=spelled)
    given = {**defaults, **dict(zip(defaults, args, strict=False))}
    given.update({key: value for key, value in kwargs.items() if key in defaults})
    # `*args` and `**kwargs` that are not known may give any of them.
    if kwargs.keys() & {"*", "**"}:
        return UNCLEAR.at(site, spelled=spelled)
    if not all(isinstance(value, (int, float, str, Sym)) for value in given.values()):
        numbers = {key: value for key, value in given.items() if known_number(value)}
        return Draw("unknown", numbers, site=site, spelled=spelled)
    return Draw(name, given, site=site, spelled=spelled)


def worked_out(draw: Draw, shape: tuple[Value, ...] | None) -> Draw:
    """What a tensor of this shape holds, with mean and std as far as its sizes tell them."""
    if draw.std is not None or not draw.name or draw.offset:
        return draw
    sizes = [round(size) if type(size) in (int, float) else 0 for size in shape or ()]
    found = drawn_by(draw.name, draw.args, tuple(sizes) if all(sizes) else None)
    return draw if found.std is None else replace(draw, mean=found.mean, std=found.std)
