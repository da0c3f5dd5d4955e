"""Methods of nn.Module, of its containers, and of a framework's base class."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from initlint.reading.abstract.holders import CONTAINERS, Instance, Listing, Table, listed
from initlint.reading.abstract.submodules import (
    children,
    modules_of,
    named_slots,
    parameters_of,
    sampled,
)
from initlint.reading.abstract.values import PLAIN, UNKNOWN, Fresh, Held, Resumed, Slot, Value
from initlint.reading.budget import ELEMENTS
from initlint.reading.evaluate.attributes import attribute
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.visits import Visit
from initlint.reading.fills.in_place import copy_into, set_trainable, write_in_place
from initlint.reading.fills.initial import release
from initlint.reading.fills.writes import walked, write
from initlint.reading.known import frameworks
from initlint.reading.objects.classes import hold
from initlint.reading.objects.containers import ask_container
from initlint.reading.objects.instances import call_instance
from initlint.reading.objects.modules import adopt, buffer_of, furnish, run_torch
from initlint.reading.objects.torch_modules import reset, reset_of
from initlint.reading.reader import Reader
from initlint.torchlib.draws import UNCLEAR
from initlint.torchlib.history import perhaps

# Methods of modules that give the module back and leave its weights as they are.
_ITSELF = {
    *("to", "cuda", "cpu", "eval", "train", "half", "float", "double", "bfloat16", "type"),
    *("requires_grad_", "share_memory", "compile"),
}
# Methods of modules that fill weights with unknown values.
_WRITING = ("reset_parameters", "to_empty", "_load_from_state_dict")


def ask_module(
    reader: Reader,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A method of nn.Module, of one of its containers, or of a framework's base class."""
    if name in frameworks.STARTS and frameworks.is_pretrained(reader, instance.cls):
        frameworks.initialise(reader, instance, node)
        return None
    if name == frameworks.HOOK and args and frameworks.is_pretrained(reader, instance.cls):
        frameworks.default(reader, instance, args[0], node)
        return None
    return _ask_torch(reader, instance, name, args, kwargs, node)


def _ask_torch(
    reader: Reader,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A method of nn.Module, or of one of its containers."""
    if name == "__init__":
        furnish(reader, instance, args, kwargs)
        return None
    if name == "super.forward":
        return run_torch(reader, instance, args, kwargs)
    if name == "super.reset" or name == reset_of(instance.torch):
        for slot, draw in reset(instance, reader.site(node)):
            write(reader, slot, draw)
        return None
    if name == "_fill_padding_idx_with_zero" and type(instance.attrs.get("weight")) is Slot:
        row = Held(instance.attrs["weight"], None, part=True)
        return write_in_place(reader, row, "zero_", [], {}, node)
    if name == "requires_grad_":
        slots = [slot for _, slot in parameters_of(instance)]
        reader.budget.elements(len(slots))
        for slot in slots:
            set_trainable(reader, slot, args[0] if args else kwargs.get("requires_grad", True))
    if name in _ITSELF or name == "apply":
        if name == "apply" and args:
            modules = _modules_within(reader, instance)
            reader.budget.elements(len(modules))
            walk = Listing([module for _, module in reversed(modules)], whole=instance)
            paths = reversed([path for path, _ in modules])
            for path, module in zip(paths, walked(reader, walk, walk.items), strict=True):
                reader.visits.append(Visit(module, module, path))
                try:
                    call(reader, args[0], [module], {}, node)
                finally:
                    reader.visits.pop()
        return instance
    if name in ("modules", "named_modules", "children", "named_children"):
        return _listed(reader, instance, name, args)
    if name in ("parameters", "named_parameters"):
        return _listed_parameters(reader, instance, name, args, kwargs)
    if name in ("register_buffer", "register_parameter", "add_module", "register_module"):
        _register(reader, instance, name, args, kwargs, node)
        return None
    if name == "forward" or name == "__call__":
        return call_instance(reader, instance, args, kwargs)
    if name == "load_state_dict":
        _load(reader, instance, args[0] if args else kwargs.get("state_dict"), node)
        return PLAIN
    if name in _WRITING or "init" in name:
        release(reader, [instance])
        return PLAIN
    if name == "state_dict":
        every = parameters_of(instance)
        reader.budget.elements(len(every))
        return Table({path: Held(slot, slot.shape) for path, slot in every[:ELEMENTS]}, True)
    if instance.torch in CONTAINERS:
        found = ask_container(reader, instance, name, args)
        adopt(reader, instance, node)
        return found
    if name in ("get_submodule", "get_parameter") and args and isinstance(args[0], str):
        value: Value = instance
        for part in args[0].split("."):
            value = attribute(reader, value, part)
        return value
    return PLAIN if name in ("extra_repr", "__len__") else UNKNOWN


def _modules_within(
    reader: Reader, instance: Instance, prefix: str = ""
) -> list[tuple[str, Instance]]:
    """All modules within a module, and those that stand for others that are not read."""
    found = modules_of(instance, prefix)
    return [*found, *sampled(instance)] if reader.has_samples else found


def _parameters_within(reader: Reader, instance: Instance) -> list[tuple[str, Slot]]:
    """All parameters within a module."""
    found = parameters_of(instance)
    layers = sampled(instance) if reader.has_samples else ()
    return [*found, *(pair for name, layer in layers for pair in named_slots(layer, name))]


def _listed(reader: Reader, instance: Instance, name: str, args: Sequence[Value]) -> Listing:
    prefix = args[0] if args and isinstance(args[0], str) else ""
    is_near = "children" in name
    found = list(children(instance)) if is_near else _modules_within(reader, instance, prefix)
    reader.budget.elements(len(found))
    every = listed(pair if name[0] == "n" else pair[1] for pair in found)
    every.whole = instance
    return every


def _listed_parameters(
    reader: Reader,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
) -> Listing:
    """What `parameters` and `named_parameters` give; with `recurse=False` a module's own."""
    place = 0 if name == "parameters" else 1
    inner = kwargs.get("recurse", args[place] if len(args) > place else True)
    own = [(key, value) for key, value in instance.attrs.items() if isinstance(value, Slot)]
    every = own if inner is False else _parameters_within(reader, instance)
    reader.budget.elements(len(every))
    found = listed(pair if name[0] == "n" else pair[1] for pair in every)
    found.whole = instance
    return found


def _load(reader: Reader, instance: Instance, content: Value, node: ast.AST | None) -> None:
    """Fill a module with the content of a state dict: another module's, or a file's.

    A load under a condition (`if resume:`) changes nothing about how a fresh model begins.
    """
    site = reader.site(node)
    loaded = replace(UNCLEAR, by="load", site=site, spelled="load_state_dict")
    table = content.items if isinstance(content, Table) else {}
    reader.life.loads += not table
    is_sure = not (reader.trying or any(frame.returned for frame in reader.frames))
    for name, slot in _parameters_within(reader, instance):
        source = table.get(name)
        if isinstance(source, (Slot, Held, Fresh)):
            copy_into(reader, slot, source, site, "load_state_dict")
        elif reader.is_certain(slot) and is_sure:
            write(reader, slot, loaded)
        else:
            slot.resumed = Resumed(perhaps(loaded), reader.arms, reader.constructing)
            reader.resumed.append(slot)


def _register(
    reader: Reader,
    instance: Instance,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> None:
    given = [*args, *kwargs.values()]
    if len(given) > 1 and isinstance(given[0], str):
        value = given[1]
        if name == "register_buffer" and value is not None:
            value = buffer_of(reader, instance, given[0], value, node)
        hold(reader, instance, given[0], value)
