"""torch.nn's modules: made, furnished by torch's constructors, and called."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.graph.facts import wanted
from initlint.graph.meaning import of_module
from initlint.reading.abstract.holders import CONTAINERS, PARAMETER_LISTS, Choice, Instance, Listing
from initlint.reading.abstract.joins import joined
from initlint.reading.abstract.operands import value_of
from initlint.reading.abstract.submodules import all_within, children
from initlint.reading.abstract.values import (
    UNKNOWN,
    Fresh,
    Held,
    Kept,
    Slot,
    Tensor,
    Value,
    known_number,
)
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.tensors import current, operands, overwritten
from initlint.reading.fills.initial import parameter_of, release
from initlint.reading.objects.classes import hold, lookup, method_of
from initlint.reading.objects.containers import contain
from initlint.reading.objects.torch_modules import fill, reset_of, uses_of
from initlint.reading.objects.transformers import (
    TRANSFORMERS,
    furnish_transformer,
    run_transformer,
)
from initlint.reading.reader import Reader
from initlint.torchlib import catalog
from initlint.torchlib.draws import UNCLEAR


def make_module(
    reader: Reader,
    kind: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Instance:
    """A module of one of torch's classes."""
    reader.life.changes += 1
    instance = Instance(None, kind, reader.site(node), arms=reader.arms)
    furnish(reader, instance, args, kwargs, node)
    if kind == "Sequential" and reader.outside:
        reader.life.born(instance, None, node, reader.frames[-1].module.path)
    return instance


def _furnish_torch(
    reader: Reader,
    instance: Instance,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> None:
    """Run the constructor of a module's torch base."""
    if instance.torch in CONTAINERS:
        contain(reader, instance, args)
        adopt(reader, instance, node)
        return
    if instance.torch in TRANSFORMERS:
        furnish_transformer(reader, instance, args, kwargs)
    else:
        fill(instance, tuple(args), kwargs)
    through = reader.within()
    for module in all_within([instance]):
        for slot in module.attrs.values():
            if type(slot) is Slot and slot.home is None:
                slot.home, slot.arms = reader.constructing, reader.arms
                slot.site = instance.site
                slot.draw = slot.draw.at(instance.site, through)


def furnish(
    reader: Reader,
    instance: Instance,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None = None,
) -> None:
    """Run torch's constructor; then the class's own `reset_parameters`, if it has one."""
    _furnish_torch(reader, instance, args, kwargs, node)
    if reader.replaced:
        _draw_as_replaced(reader, instance)
    name = reset_of(instance.torch)
    found = lookup(reader, instance.cls, name) if name and instance.cls is not None else None
    if found is not None:
        call(reader, method_of(reader, *found), [instance], {})


def _draw_as_replaced(reader: Reader, instance: Instance) -> None:
    """Draw the parameters by what code has put in the place of torch's own functions."""
    reset = reader.replaced.get(f"torch.nn.{instance.torch}.{reset_of(instance.torch)}")
    if any(name.startswith("torch.nn.init.") for name in reader.replaced):
        release(reader, [instance])
    elif reset is not None:
        call(reader, reset, [instance], {})


def adopt(reader: Reader, instance: Instance, node: ast.AST | None) -> None:
    """Make a list of parameters the holder of those in it; tensors become parameters."""
    if instance.torch not in PARAMETER_LISTS:
        return
    for name, value in list(instance.attrs.items()):
        if isinstance(value, Fresh):
            hold(reader, instance, name, parameter_of(reader, value, node))
        elif isinstance(value, Slot) and not value.name:
            value.holder, value.name = instance, name


def buffer_of(
    reader: Reader, instance: Instance | None, name: str, value: Value, node: ast.AST | None
) -> Kept:
    """A tensor that a module keeps under a name and does not train."""
    shape = value.shape if isinstance(value, (Fresh, Slot, Held)) else None
    site = reader.site(node)
    draw = value.draw if isinstance(value, Fresh) else UNCLEAR
    draw = replace(draw, site=site, through=reader.within())
    slot = Slot(instance, name, shape, draw, reader.arms, reader.constructing, site)
    slot.trainable = False
    if isinstance(value, Fresh):
        value.slots.append(slot)
    return Kept(slot)


def run_torch(
    reader: Reader, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Value:
    """The result of the forward of a module's torch base."""
    if instance.torch in TRANSFORMERS:
        return run_transformer(reader, instance, args, kwargs)
    if instance.torch == "Sequential":
        value = args[0] if args else UNKNOWN
        parts = instance.members()
        reader.budget.elements(len(parts))
        for part in parts.values():
            result = call(reader, part, [value], {})
            is_sure = not (isinstance(part, Choice) and None in part.options)
            value = result if is_sure else joined(reader, result, value)
        return value
    reader.budget.steps()
    instance.has_run = True
    operation = catalog.operation_of_module(instance.torch)
    is_weighted = operation is not None and operation.role == "weighted"
    weights = tuple([current(reader, use) for use in uses_of(instance)]) if is_weighted else ()
    given, named = operands(reader, args, kwargs)
    meant = of_module(instance.torch, given, named, _settings(instance), weights)
    reader.graph.touched.update(own_of(instance))
    result = value_of(meant, reader.graph)
    if args and type(args[0]) is type(result) is Tensor and _is_in_place(instance):
        overwritten(reader, args[0], result)
    return result


def own_of(instance: Instance) -> Iterator[Slot]:
    """The parameters that one of torch's layers itself takes in when it is called."""
    for _, module in (("", instance), *children(instance)):
        yield from (slot for slot in module.attrs.values() if type(slot) is Slot)


def _own_arguments(kind: str) -> Mapping[str, Any]:
    """The arguments of an activation module beside `inplace`, with their defaults."""
    activation = catalog.activation_of_module(kind)
    return activation.arguments if activation is not None else {}


def _is_in_place(instance: Instance) -> bool:
    """Whether an activation module works in place."""
    given, place = instance.args.get("*", ()), len(_own_arguments(instance.torch))
    return instance.args.get("inplace", given[place] if place < len(given) else False) is True


def _settings(instance: Instance) -> dict[str, Any]:
    """An activation module's own arguments: those given by place or name, else the defaults."""
    given = dict(_own_arguments(instance.torch))
    places = list(given) if instance.torch != "PReLU" else ["num_parameters", "init"]
    values = {**dict(zip(places, instance.args.get("*", ()), strict=False)), **instance.args}
    for name, default in given.items():
        value = values.get(name, default)
        given[name] = value if known_number(value) or isinstance(value, str) else default
    return given or _settings_kept(instance)


def _settings_kept(instance: Instance) -> dict[str, Any]:
    """The settings of a layer, a pooling or a norm that the predicted signal needs."""
    names = wanted(instance.torch)
    if not names:
        return {}
    values = {**dict(zip(names, instance.args.get("*", ()), strict=False)), **instance.args}
    return {
        name: tuple(value.items) if isinstance(value, Listing) and not value.open else value
        for name, value in values.items()
        if name in names
    }
