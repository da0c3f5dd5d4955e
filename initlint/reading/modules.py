"""torch.nn's modules: made, filled with others, asked for their parts, and called."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.graph.facts import wanted
from initlint.graph.meaning import of_module
from initlint.reading.budget import ELEMENTS
from initlint.reading.holders import (
    CONTAINERS,
    PARAMETER_LISTS,
    Choice,
    Instance,
    Listing,
    Table,
    elements,
    listed,
)
from initlint.reading.initial import Initialising
from initlint.reading.operands import value_of
from initlint.reading.parts import choice
from initlint.reading.samples import stack_of_copies
from initlint.reading.submodules import (
    children,
    is_part,
    modules_of,
    named_slots,
    parameters_of,
    sampled,
)
from initlint.reading.torch_modules import fill, reset, reset_of, uses_of
from initlint.reading.values import (
    PLAIN,
    UNKNOWN,
    Fresh,
    Held,
    Kept,
    Resumed,
    Slot,
    Tensor,
    Value,
    known_number,
)
from initlint.reading.visits import Visit
from initlint.torchlib import catalog
from initlint.torchlib.draws import UNCLEAR
from initlint.torchlib.history import perhaps

# Methods of modules that give the module back and leave its weights as they are.
_ITSELF = {
    *("to", "cuda", "cpu", "eval", "train", "half", "float", "double", "bfloat16", "type"),
    *("requires_grad_", "share_memory", "compile"),
}


# Methods of containers that change what they hold.
_REBUILDING = ("append", "extend", "insert", "pop", "clear", "update")
# Methods of modules that fill weights with unknown values.
_WRITING = ("reset_parameters", "to_empty", "_load_from_state_dict")


class Modules(Initialising):
    """Reads how torch's own modules are made and called."""

    def make(
        self,
        kind: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Instance:
        """A module of one of torch's classes."""
        self.life.changes += 1
        instance = Instance(None, kind, self.site(node), arms=self.arms)
        self.furnish(instance, args, kwargs, node)
        if kind == "Sequential" and self.outside:
            self.life.born(instance, None, node, self.frames[-1].module.path)
        return instance

    def _adopt(self, instance: Instance, node: ast.AST | None) -> None:
        """Make a list of parameters the holder of those in it; tensors become parameters."""
        if instance.torch not in PARAMETER_LISTS:
            return
        for name, value in list(instance.attrs.items()):
            if isinstance(value, Fresh):
                self.hold(instance, name, self.parameter(value, node))
            elif isinstance(value, Slot) and not value.name:
                value.holder, value.name = instance, name

    def furnish(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> None:
        """Run the constructor of a module's torch base."""
        if instance.torch in CONTAINERS:
            self._contain(instance, args)
            self._adopt(instance, node)
            return
        if instance.torch in ("TransformerEncoder", "TransformerDecoder"):
            stack_of_copies(instance, args, kwargs, self.constructing)
            self.has_samples = True
        fill(instance, tuple(args), kwargs)
        through = self.within()
        for module in (instance, *(part for _, part in children(instance))):
            for slot in module.attrs.values():
                if type(slot) is Slot and slot.home is None:
                    slot.home, slot.arms = self.constructing, self.arms
                    slot.site = instance.site
                    slot.draw = slot.draw.at(instance.site, through)

    def _contain(self, instance: Instance, args: Sequence[Value]) -> None:
        if instance.torch == "Sequential" and len(args) != 1:
            for place, value in enumerate(args):
                instance.attrs[str(place)] = value
            return
        for given in args[:1]:
            if isinstance(given, (Listing, Table)) and given.open and not given.items:
                self.unfollowed = f"the modules that a {instance.torch} holds are not known"
            if isinstance(given, Table):
                instance.attrs.update({str(key): value for key, value in given.items.items()})
            elif isinstance(given, (Listing, tuple)):
                items = given if isinstance(given, tuple) else given.items
                if instance.torch in ("ModuleDict", "ParameterDict"):
                    _pair(instance, items)
                else:
                    instance.attrs.update({str(i): value for i, value in enumerate(items)})
            elif isinstance(given, Instance) and instance.torch != "Sequential":
                instance.attrs.update(dict(children(given)))
            elif instance.torch == "Sequential":
                instance.attrs["0"] = given

    def run_torch(
        self, instance: Instance, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> Value:
        """The result of the forward of a module's torch base."""
        if instance.torch == "Sequential":
            value = args[0] if args else UNKNOWN
            parts = instance.members()
            self.budget.elements(len(parts))
            for part in parts.values():
                result = self.call(part, [value], {})
                is_sure = not (isinstance(part, Choice) and None in part.options)
                value = result if is_sure else self.joined(result, value)
            return value
        self.budget.steps()
        operation = catalog.operation_of_module(instance.torch)
        is_weighted = operation is not None and operation.role == "weighted"
        weights = tuple(map(self.current, uses_of(instance))) if is_weighted else ()
        given, named = self.operands(args, kwargs)
        meant = of_module(instance.torch, given, named, _settings(instance), weights)
        self.graph.touched.update(own_of(instance))
        result = value_of(meant, self.graph)
        if args and type(args[0]) is type(result) is Tensor and _is_in_place(instance):
            self.overwritten(args[0], result)
        return result

    def ask_module(
        self,
        instance: Instance,
        name: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None,
    ) -> Value:
        """A method of nn.Module, or of one of its containers."""
        if name == "__init__":
            self.furnish(instance, args, kwargs)
            return None
        if name == "super.forward":
            return self.run_torch(instance, args, kwargs)
        if name == "super.reset" or name == reset_of(instance.torch):
            for slot, draw in reset(instance, self.site(node)):
                self.write(slot, draw)
            return None
        if name == "_fill_padding_idx_with_zero" and type(instance.attrs.get("weight")) is Slot:
            row = Held(instance.attrs["weight"], None, part=True)
            return self.write_in_place(row, "zero_", [], {}, node)
        if name == "requires_grad_":
            slots = [slot for _, slot in parameters_of(instance)]
            self.budget.elements(len(slots))
            for slot in slots:
                self.set_trainable(slot, args[0] if args else kwargs.get("requires_grad", True))
        if name in _ITSELF or name == "apply":
            if name == "apply" and args:
                modules = self._within(instance)
                self.budget.elements(len(modules))
                walk = Listing([module for _, module in reversed(modules)], whole=instance)
                paths = reversed([path for path, _ in modules])
                for path, module in zip(paths, self.walked(walk, walk.items), strict=True):
                    self.visits.append(Visit(module, module, path))
                    try:
                        self.call(args[0], [module], {}, node)
                    finally:
                        self.visits.pop()
            return instance
        if name in ("modules", "named_modules", "children", "named_children"):
            return self._listed(instance, name, args)
        if name in ("parameters", "named_parameters"):
            return self._listed_parameters(instance, name, args, kwargs)
        if name in ("register_buffer", "register_parameter", "add_module", "register_module"):
            self._register(instance, name, args, kwargs, node)
            return None
        if name == "forward" or name == "__call__":
            return self.call_instance(instance, args, kwargs)
        if name == "load_state_dict":
            self.load(instance, args[0] if args else kwargs.get("state_dict"), node)
            return PLAIN
        if name in _WRITING or "init" in name:
            self.release([instance])
            return PLAIN
        if name == "state_dict":
            every = parameters_of(instance)
            self.budget.elements(len(every))
            return Table({path: Held(slot, slot.shape) for path, slot in every[:ELEMENTS]}, True)
        if instance.torch in CONTAINERS:
            found = self._ask_container(instance, name, args)
            self._adopt(instance, node)
            return found
        if name in ("get_submodule", "get_parameter") and args and isinstance(args[0], str):
            value: Value = instance
            for part in args[0].split("."):
                value = self.attribute(value, part)
            return value
        return PLAIN if name in ("extra_repr", "__len__") else UNKNOWN

    def _within(self, instance: Instance, prefix: str = "") -> list[tuple[str, Instance]]:
        """All modules within a module, and those that stand for others that are not read."""
        found = modules_of(instance, prefix)
        return [*found, *sampled(instance)] if self.has_samples else found

    def _parameters(self, instance: Instance) -> list[tuple[str, Slot]]:
        """All parameters within a module."""
        found = parameters_of(instance)
        layers = sampled(instance) if self.has_samples else ()
        return [*found, *(pair for name, layer in layers for pair in named_slots(layer, name))]

    def _listed(self, instance: Instance, name: str, args: Sequence[Value]) -> Listing:
        prefix = args[0] if args and isinstance(args[0], str) else ""
        is_near = "children" in name
        found = list(children(instance)) if is_near else self._within(instance, prefix)
        self.budget.elements(len(found))
        every = listed(pair if name[0] == "n" else pair[1] for pair in found)
        every.whole = instance
        return every

    def _listed_parameters(
        self, instance: Instance, name: str, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> Listing:
        """What `parameters` and `named_parameters` give; with `recurse=False` a module's own."""
        place = 0 if name == "parameters" else 1
        inner = kwargs.get("recurse", args[place] if len(args) > place else True)
        own = [(key, value) for key, value in instance.attrs.items() if isinstance(value, Slot)]
        every = own if inner is False else self._parameters(instance)
        self.budget.elements(len(every))
        found = listed(pair if name[0] == "n" else pair[1] for pair in every)
        found.whole = instance
        return found

    def load(self, instance: Instance, content: Value, node: ast.AST | None) -> None:
        """Fill a module with the content of a state dict: another module's, or a file's.

        A load under a condition (`if resume:`) changes nothing about how a fresh model begins.
        """
        site = self.site(node)
        loaded = replace(UNCLEAR, by="load", site=site, spelled="load_state_dict")
        table = content.items if isinstance(content, Table) else {}
        self.life.loads += not table
        for name, slot in self._parameters(instance):
            source = table.get(name)
            if isinstance(source, (Slot, Held, Fresh)):
                self.copy(slot, source, site, "load_state_dict")
            elif self.is_certain(slot) and not self.trying:
                self.write(slot, loaded)
            else:
                slot.resumed = Resumed(perhaps(loaded), self.arms, self.constructing)
                self.resumed.append(slot)

    def _register(
        self,
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
                value = self.buffer(instance, given[0], value, node)
            self.hold(instance, given[0], value)

    def buffer(
        self, instance: Instance | None, name: str, value: Value, node: ast.AST | None
    ) -> Kept:
        """A tensor that a module keeps under a name and does not train."""
        shape = value.shape if isinstance(value, (Fresh, Slot, Held)) else None
        site = self.site(node)
        draw = value.draw if isinstance(value, Fresh) else UNCLEAR
        draw = replace(draw, site=site, through=self.within())
        slot = Slot(instance, name, shape, draw, self.arms, self.constructing, site)
        slot.trainable = False
        if isinstance(value, Fresh):
            value.slots.append(slot)
        return Kept(slot)

    def hold(self, instance: Instance, name: str, value: Value) -> None:
        """Set an attribute; a bare parameter now has its holder and its name."""
        if self.outside and (is_part(value) or is_part(instance.attrs.get(name))):
            self.life.rebuild(instance)
        slot = value.slot if isinstance(value, Kept) else value
        if isinstance(slot, Slot) and not slot.name:
            slot.holder, slot.name = instance, name
        instance.attrs[name] = value

    def _ask_container(self, instance: Instance, name: str, args: Sequence[Value]) -> Value:
        if self.outside and name in _REBUILDING:
            self.life.rebuild(instance)
        if name == "append" and args and _is_numbered(instance):
            instance.attrs[str(len(instance.attrs))] = args[-1]
            return instance
        parts = instance.members()
        self.budget.elements(len(parts))
        if name in ("append", "extend", "insert") and args:
            self._rearrange(instance, rearranged(list(parts.values()), name, args))
            return instance
        if name in ("pop", "clear"):
            return self._taken_out(instance, args[0] if args else -1 if name == "pop" else None)
        if name == "update" and args and isinstance(args[0], Table):
            instance.attrs.update({str(key): value for key, value in args[0].items.items()})
            return None
        if name == "items":
            return Listing([(key, value) for key, value in parts.items()])
        if name == "keys":
            return Listing(list(parts))
        if name == "values":
            return Listing(list(parts.values()))
        if name == "get" and args and isinstance(args[0], str):
            return parts.get(args[0], args[1] if len(args) > 1 else None)
        return UNKNOWN

    def _rearrange(self, container: Instance, items: list[Value]) -> None:
        """Make a container hold these, under their numbers."""
        for old in container.members():
            del container.attrs[old]
        container.attrs.update({str(place): value for place, value in enumerate(items)})

    def _taken_out(self, container: Instance, index: Value) -> Value:
        """What `pop` gives, which the container then holds no more; without an index, all goes."""
        value = self.part(container, index) if index is not None else None
        self.remove(container, slice(None) if index is None else index)
        return value

    def remove(self, owner: Value, index: Value) -> None:
        """What `del` does to something in brackets."""
        if self.outside:
            self.life.rebuild(owner)
        if isinstance(owner, Listing):
            owner.items = without(owner.items, index)
        elif isinstance(owner, Table) and isinstance(index, (str, int)):
            owner.items.pop(index, None)
        elif isinstance(owner, Instance) and owner.torch in CONTAINERS:
            if isinstance(index, str):
                owner.attrs.pop(index, None)
            elif owner.torch not in ("ModuleDict", "ParameterDict"):
                self._rearrange(owner, without(list(owner.members().values()), index))

    def part(self, instance: Instance, index: Value) -> Value:
        """The value of a container's subscript."""
        parts = list(instance.members().values())
        if isinstance(index, slice):
            return self._slice(instance, index)
        if isinstance(index, str):
            return instance.attrs.get(index, UNKNOWN)
        if known_number(index):
            return parts[int(index)] if -len(parts) <= index < len(parts) else UNKNOWN
        for _, slot in parameters_of(instance):
            slot.picked = True
        return choice(parts) if parts else UNKNOWN

    def _slice(self, instance: Instance, index: slice) -> Value:
        ends = (index.start, index.stop, index.step)
        known = all(end is None or isinstance(end, int) for end in ends)
        pairs = list(instance.members().items())
        part = Instance(None, instance.torch, instance.site)
        part.attrs = dict(pairs[index] if known else pairs)
        return part


def own_of(instance: Instance) -> Iterator[Slot]:
    """The parameters that one of torch's layers itself takes in when it is called."""
    for _, module in (("", instance), *children(instance)):
        yield from (slot for slot in module.attrs.values() if type(slot) is Slot)


def _is_numbered(container: Instance) -> bool:
    """Whether a torch container names its members by numbers from 0."""
    last = next(reversed(container.attrs), None)
    is_list = container.cls is None and container.torch not in ("ModuleDict", "ParameterDict")
    return is_list and last in (None, str(len(container.attrs) - 1))


def _pair(instance: Instance, items: Sequence[Value]) -> None:
    for item in items:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            instance.attrs[item[0]] = item[1]


def rearranged(items: list[Value], name: str, args: Sequence[Value]) -> list[Value]:
    """Items after a list's method; all of them unknown where it is not clear which go where."""
    if name == "extend":
        found = elements(args[0])
        return [*items, *(found if found is not None else [UNKNOWN])]
    if name == "append":
        return [*items, args[-1]]
    if type(args[0]) is not int:
        return [UNKNOWN] * (len(items) + 1)
    items.insert(args[0], args[-1])
    return items


def without(items: list[Value], index: Value) -> list[Value]:
    """Items but those in these brackets; all of them unknown where it is not clear which."""
    ends = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
    if not all(type(end) is int or (end is None and len(ends) > 1) for end in ends):
        return [UNKNOWN] * max(0, len(items) - 1)
    left = list(items)
    with contextlib.suppress(IndexError, ValueError):
        del left[index]
    return left


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
