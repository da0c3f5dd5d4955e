"""The reading engine's ledger: the parameters and buffers of a model, its initialising calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from initlint.reading.abstract.holders import CONTAINERS, Instance
from initlint.reading.abstract.parts import options_of
from initlint.reading.abstract.sizes import is_size
from initlint.reading.abstract.submodules import sampled
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import Fresh, Kept, Slot
from initlint.reading.fills.effects import Noted
from initlint.reading.models.places import Place, site_of, walk
from initlint.reading.objects.defaults import eps_by_place, is_padded, statistics
from initlint.reading.objects.torch_modules import NORMS, type_of
from initlint.records import Call, Parameter, Site
from initlint.torchlib.draws import UNCLEAR, UNWRITTEN, Draw
from initlint.torchlib.gains import gain_use, is_norm
from initlint.torchlib.history import after, entries
from initlint.torchlib.parameters import kind_of


class Ledger(NamedTuple):
    """What a model's graph takes in, None where that is not known, and what its parts hold.

    `whole` is False where others than this graph may use a parameter; `overrides` are the draws of
    parameters that the constructor of another module than their own has filled. `hook` gives
    `Parameter.hook` by the name of a module and a parameter of it.
    """

    touched: Collection[Slot] | None
    whole: bool
    overrides: Mapping[Slot, Draw]
    hook: Callable[[str, Slot], str]


def parameters_of(model: str, root: Instance, ledger: Ledger, most: int) -> list[Parameter]:
    """A record for every name of every parameter and buffer of a module.

    Only of the first `most` names of parts, of which there may be very many with no parameter.
    """
    found: list[Parameter] = []
    known: dict[Slot, Parameter] = {}
    # A deep copy, and it alone, has the last draw of what it is a copy of.
    holding: dict[int, str] = {}
    # A module with several names is asked once.
    held: dict[Instance, list[tuple[str, Slot, str]]] = {}
    for name, module, is_again in islice(_named(root), most):
        if module not in held:
            held[module] = list(_held(module))
        for key, slot, kind in held[module]:
            full = f"{name}.{key}" if name else key
            if slot not in known:
                draw = ledger.overrides.get(slot, slot.draw)
                is_known = kind != "buffer" and draw is not UNWRITTEN and draw is not UNCLEAR
                first = holding.setdefault(id(draw), full) if is_known else full
                clone_of = first if first != full else None
                known[slot] = _record(model, full, module, slot, kind, ledger, clone_of)
                found.append(known[slot])
            else:
                tied = None if is_again else known[slot].name
                found.append(_named_again(known[slot], full, tied, module, kind))
        if len(found) > most:
            break
    return [*found, *_of_samples(model, root, ledger, holding)]


def _of_samples(
    model: str, root: Instance, ledger: Ledger, holding: dict[int, str]
) -> Iterator[Parameter]:
    """The parameters that stand for others which are not read, as far as something fills them."""
    for name, layer in sampled(root):
        for key, slot, kind in _held(layer):
            draw = ledger.overrides.get(slot, slot.draw)
            full = f"{name}.{key}"
            first = holding.setdefault(id(draw), full)
            if draw.by != "load":
                clone_of = first if first != full else None
                record = _record(model, full, layer, slot, kind, ledger, clone_of)
                yield replace(record, used=None)


def _named_again(
    first: Parameter, name: str, tied: str | None, module: Instance, kind: str
) -> Parameter:
    """The record of a parameter under another of its names, where another module may hold it."""
    site = module.site if _layer(module) else first.site
    return Parameter(
        model=first.model,
        name=name,
        holder=type_of(module),
        kind=kind,
        shape=first.shape,
        site=site,
        trainable=first.trainable,
        history=first.history,
        used=first.used,
        tied_to=tied,
    )


def _named(root: Instance) -> Iterator[tuple[str, Instance, bool]]:
    """Every module under each of its names, and whether it stands for others made alike there."""
    met: set[int] = set()
    again: list[str] = []
    for name, module in walk(root):
        if again and not name.startswith(again[-1] + "."):
            again.clear()
        if id(module) in met and module.cls is not None and not again:
            again.append(name)
        met.add(id(module))
        yield name, module, bool(again)


def _held(module: Instance) -> Iterator[tuple[str, Slot, str]]:
    """The parameters and buffers that a module itself holds, with what kind each is."""
    layer = _layer(module)
    for name, value in module.attrs.items():
        # Under a condition that nothing decides there may be one, or none.
        for option in options_of(value):
            if isinstance(option, Slot):
                yield name, option, kind_of(layer, name)
            elif isinstance(option, Kept):
                yield name, option.slot, "buffer"
    for slot in statistics(module):
        yield slot.name, slot, "buffer"


def _layer(module: Instance) -> str:
    """The class of torch's that a layer is; empty for a module of the user's and a container."""
    return "" if module.torch in (*CONTAINERS, "Module") else module.torch


def _record(
    model: str,
    name: str,
    module: Instance,
    slot: Slot,
    kind: str,
    ledger: Ledger,
    clone_of: str | None,
) -> Parameter:
    shape = None
    if slot.shape is not None:
        shape = tuple(s if type(s) is int and is_size(s) else None for s in slot.shape)
    draw = ledger.overrides.get(slot, slot.draw)
    if module.reparametrised and kind == "weight":
        draw = after(UNCLEAR, draw)
    return Parameter(
        model=model,
        name=name,
        holder=type_of(module),
        kind=kind,
        shape=shape,
        site=site_of(slot),
        trainable=slot.trainable,
        history=entries(draw, shape),
        used=_is_used(slot, module, kind, ledger),
        clone_of=clone_of,
        padded=kind == "table" and is_padded(module),
        eps=eps_by_place(module) if module.torch.endswith(NORMS) else None,
        hook=ledger.hook(name.rpartition(".")[0], slot),
        multiplied=_multiplied(module, slot.name) if kind == "bare" else "",
    )


def _multiplied(module: Instance, name: str) -> str:
    """How the forward of a norm of the user's multiplies with its gain."""
    if module.cls is None or not is_norm(module.cls.name):
        return ""
    order = [cls for cls in module.cls.order or [module.cls] if isinstance(cls, UserClass)]
    forward = next((cls.members["forward"] for cls in order if "forward" in cls.members), None)
    is_method = isinstance(forward, (ast.FunctionDef, ast.AsyncFunctionDef))
    return gain_use(forward, name) if is_method else ""


def _is_used(slot: Slot, module: Instance, kind: str, ledger: Ledger) -> bool | None:
    if ledger.touched is None:
        return None
    # What torch's norms have seen is used as the norm is.
    beside = module.attrs.get("weight") if slot.name.startswith(("running_", "num_b")) else None
    if slot in ledger.touched or beside in ledger.touched:
        return True
    return False if ledger.whole and kind != "buffer" else None


def calls_of(
    model: str,
    modules: Sequence[Instance],
    places: Mapping[int, Sequence[Place]],
    acting: Container[Site | None],
) -> list[Call]:
    """The initialising calls that making a model runs, one for each line that makes some.

    `modules` are the model and all its parts, `places` the names of its parameters, `acting` the
    calls that have filled something at least once.
    """
    noted = [call for module in modules for call in module.calls]
    return merged(model, noted, places, acting)


def merged(
    model: str,
    noted: Collection[Noted],
    places: Mapping[int, Sequence[Place]],
    acting: Container[Site | None],
) -> list[Call]:
    """One record for all that one line calls to one effect, with the names of all it fills."""
    found: dict[object, Call] = {}
    for call in noted:
        if call.denied and call.site in acting:
            continue
        held = (place for slot in call.targets for place in places.get(id(slot), ()))
        targets = tuple(place.parameter for place in held)
        # What one line fills for some modules, and fails to fill for others, gives two records.
        key = (call.site, call.spelled, call.effect)
        if key in found:
            before = found[key]
            every = tuple(dict.fromkeys((*before.targets, *targets)))
            effect = "wrote" if "wrote" in (before.effect, _effect(call)[0]) else before.effect
            reason = "" if effect == "wrote" else before.reason
            found[key] = replace(before, targets=every, effect=effect, reason=reason)
        else:
            effect, reason = _effect(call)
            found[key] = Call(
                model, call.spelled, call.resolved, call.site, call.within, targets, effect, reason
            )
    return list(found.values())


def _effect(call: Noted) -> tuple[str, str]:
    """What a call does, and why it does no more than that."""
    if call.effect:
        return call.effect, call.reason
    if not call.targets:
        return "nothing", "it is not known what it fills"
    if all(isinstance(t, Fresh) and not t.slots and t.base is None for t in call.targets):
        return "discarded", "it fills a tensor that is no parameter"
    return "wrote", ""
