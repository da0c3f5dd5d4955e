"""Where the weights of a model lie: their names, the layers that hold them, and their lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from initlint.reading.abstract.holders import CONTAINERS, Instance
from initlint.reading.abstract.submodules import children, each_module
from initlint.reading.abstract.values import Slot
from initlint.reading.objects.torch_modules import type_of
from initlint.records import Site

# The most modules of a model whose names are made, and how deep these go in one that holds itself.
_MOST_NAMES = 20_000
_DEEPEST = 30


class Place(NamedTuple):
    """Where a model keeps a weight: the layer's name and the parameter's."""

    layer: str
    parameter: str


def site_of(slot: Slot) -> Site | None:
    """The line that makes the layer, or the bare parameter."""
    holder = slot.holder
    no_layer = (*CONTAINERS, "Module", "")
    if isinstance(holder, Instance) and holder.torch not in no_layer and holder.site:
        found: Site | None = holder.site
        return found
    made: Site | None = slot.site or (holder.site if isinstance(holder, Instance) else None)
    return made


def place_of(slot: Slot) -> Place:
    """A weight's place in the module that holds it, whatever holds that one."""
    holder = slot.holder
    if isinstance(holder, Instance) and holder.owner is not None:
        return Place(holder.owner[1], f"{holder.owner[1]}.{slot.name}")
    return Place("", slot.name)


def places_of(root: Instance) -> dict[int, list[Place]]:
    """By every weight the names under which a model knows it, in the order of its parts."""
    found: dict[int, list[Place]] = {}
    own: dict[Instance, list[tuple[str, Slot]]] = {}
    for name, module in islice(walk(root), _MOST_NAMES + 1):
        if module not in own:
            slots = [(key, v) for key, v in module.attrs.items() if type(v) is Slot]
            own[module] = [(key, slot) for key, slot in slots if slot.holder is module]
        for key, slot in own[module]:
            parameter = f"{name}.{key}" if name else key
            found.setdefault(id(slot), []).append(Place(name, parameter))
    return found


def walk(root: Instance) -> Iterator[tuple[str, Instance]]:
    """A module and all that it holds, as often as it has names, outermost first."""
    waiting: list[tuple[str, Instance, tuple[Instance, ...]]] = [("", root, ())]
    # By module, the modules that it holds, last one first; one may have very many names.
    held: dict[Instance, list[tuple[str, Instance]]] = {}
    while waiting:
        name, module, above = waiting.pop()
        yield name, module
        if module in above or len(above) > _DEEPEST:
            continue
        if module not in held:
            held[module] = children(module)[::-1]
        if held[module]:
            around, before = (*above, module), f"{name}." if name else ""
            waiting += [(before + child, part, around) for child, part in held[module]]


def weights_held(root: Instance) -> Iterator[tuple[Place, Slot, str]]:
    """Every weight of a layer in a module, once, with its first name and its layer's class."""
    for name, module in each_module(root):
        for key, slot in weights_of(module):
            parameter = f"{name}.{key}" if name else key
            yield Place(name, parameter), slot, type_of(module)


def weights_of(module: Instance) -> list[tuple[str, Slot]]:
    """The weights that a layer itself holds, by name; none for a module that is no layer."""
    if module.owner is None:
        return []
    return [(key, v) for key, v in module.attrs.items() if type(v) is Slot and "weight" in key]


def has_weights(root: Instance) -> bool:
    """Whether there is a weight of a layer in a module."""
    waiting, seen = [root], {root}
    while waiting:
        module = waiting.pop()
        if weights_of(module):
            return True
        inner = {part for _, part in children(module)} - seen
        seen |= inner
        waiting += inner
    return False
