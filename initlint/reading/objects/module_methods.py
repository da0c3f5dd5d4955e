"""Methods of nn.Module, of its containers, and of a framework's base class."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from initlint.reading.abstract.holders import (
    CONTAINERS,
    Bound,
    Function,
    Instance,
    Listing,
    Table,
    listed,
)
from initlint.reading.abstract.submodules import (
    all_within,
    children,
    modules_of,
    named_slots,
    parameters_of,
    sampled,
)
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Fresh,
    Held,
    Kept,
    Sampled,
    Slot,
    Unknown,
    Value,
)
from initlint.reading.budget import ELEMENTS
from initlint.reading.evaluate.attributes import attribute
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.visits import Visit
from initlint.reading.fills.effects import is_sure, note
from initlint.reading.fills.filling import fills
from initlint.reading.fills.in_place import copy_into, set_trainable, write_in_place
from initlint.reading.fills.initial import release
from initlint.reading.fills.writes import load, walked, write
from initlint.reading.known import frameworks
from initlint.reading.objects import hollow
from initlint.reading.objects.classes import argument_at, hold, name_of
from initlint.reading.objects.containers import ask_container
from initlint.reading.objects.instances import call_instance
from initlint.reading.objects.modules import adopt, buffer_of, furnish, run_torch
from initlint.reading.objects.torch_modules import is_layer, reset, reset_of
from initlint.reading.objects.transformers import (
    TRANSFORMERS,
    cross_attention,
    feed_forward,
    self_attention,
)
from initlint.reading.reader import Reader
from initlint.torchlib.draws import UNCLEAR, UNWRITTEN


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call of a method: its name and what it is given."""

    name: str
    args: Sequence[Value]
    kwargs: Mapping[str, Value]
    node: ast.AST | None

    def given(self, place: int, name: str, default: Value = None) -> Value:
        """An argument, by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)


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
    asked = _Asked(name, args, kwargs, node)
    if name == reset_of(instance.torch):
        return _reset(reader, instance, asked)
    if name in _METHODS:
        return _METHODS[name](reader, instance, asked)
    if "init" in name:
        return _write_all(reader, instance, asked)
    if instance.torch in CONTAINERS:
        found = ask_container(reader, instance, name, args)
        adopt(reader, instance, node)
        return found
    return PLAIN if name == "__len__" else UNKNOWN


def _furnish(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    furnish(reader, instance, asked.args, asked.kwargs)
    return None


def _forward_of_torch(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    return run_torch(reader, instance, asked.args, asked.kwargs)


def _forward(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    return call_instance(reader, instance, asked.args, asked.kwargs)


def _reset(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """Torch's own draw, again."""
    for slot, draw in reset(instance, reader.site(asked.node)):
        write(reader, slot, draw)
    return None


def _zero_padding(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """An embedding's row for the padding is made zero."""
    if type(instance.attrs.get("weight")) is not Slot:
        return UNKNOWN
    row = Held(instance.attrs["weight"], None, part=True)
    return write_in_place(reader, row, "zero_", [], {}, asked.node)


def _itself(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    return instance


def _train(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """`requires_grad_` of all parameters."""
    slots = [slot for _, slot in parameters_of(instance)]
    reader.budget.elements(len(slots))
    for slot in slots:
        set_trainable(reader, slot, asked.given(0, "requires_grad", True))
    return instance


def _apply(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """A function is called with every module within, from the innermost outwards."""
    function = asked.given(0, "fn")
    if function is None:
        first = asked.node.args[:1] if isinstance(asked.node, ast.Call) else []
        if any(isinstance(node, ast.Call) for node in first) and is_sure(reader):
            reason = "it gets None: the function is called here, and not handed over"
            note(reader, asked.node, "apply", [], "raises", reason)
        return instance
    hollow.note_apply(reader, instance, function, asked.node)
    modules = _modules_within(reader, instance)
    reader.budget.elements(len(modules))
    walk = Listing([module for _, module in reversed(modules)], whole=instance)
    paths = reversed([path for path, _ in modules])
    for path, module in zip(paths, walked(reader, walk, walk.items), strict=True):
        reader.visits.append(Visit(module, module, path))
        try:
            call(reader, function, [module], {}, asked.node)
        finally:
            reader.visits.pop()
    return instance


def apply_to_loaded(
    reader: Reader,
    model: Sampled,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A function is called with the layers of a model of another package's that was loaded.

    Noted is a function that draws all of its weights again.
    """
    function = args[0] if args else kwargs.get("fn")
    layers = [module for layer in model.options for module in all_within([layer])]
    weights = [slot for layer in layers if isinstance(slot := layer.attrs.get("weight"), Slot)]
    loads = [reader.drawn(slot) for slot in weights]
    for layer in layers if function is not None else ():
        reader.visits.append(Visit(layer, layer, "*"))
        try:
            call(reader, function, [layer], {}, node)
        finally:
            reader.visits.pop()
    draws = [reader.drawn(slot) for slot in weights]
    are_loaded = bool(loads) and all(load.by == "load" for load in loads)
    are_drawn = all(d.by != "load" and d.name != UNCLEAR.name and not d.perhaps for d in draws)
    if are_loaded and are_drawn and is_sure(reader) and loads[0].site is not None:
        reason = f"draws again what {loads[0].spelled} loads at line {loads[0].site.line}"
        note(reader, node, "apply", [], "reloaded", reason)
    return model


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


def _listed(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """The modules within, or the children, perhaps with their names."""
    prefix = asked.args[0] if asked.args and isinstance(asked.args[0], str) else ""
    is_near = "children" in asked.name
    found = list(children(instance)) if is_near else _modules_within(reader, instance, prefix)
    return _listing(reader, instance, asked, found)


def _listed_parameters(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """What `parameters` and `named_parameters` give; with `recurse=False` a module's own."""
    inner = asked.given(0 if asked.name == "parameters" else 1, "recurse", True)
    own = [(key, value) for key, value in instance.attrs.items() if isinstance(value, Slot)]
    found = own if inner is False else _parameters_within(reader, instance)
    return _listing(reader, instance, asked, found)


def _buffers_within(instance: Instance) -> list[Kept]:
    return [v for _, m in modules_of(instance) for v in m.attrs.values() if type(v) is Kept]


def _listed_buffers(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    found = _buffers_within(instance)
    reader.budget.elements(len(found))
    return listed(found)


def _listing(
    reader: Reader, instance: Instance, asked: _Asked, pairs: Sequence[tuple[str, Value]]
) -> Listing:
    reader.budget.elements(len(pairs))
    is_named = asked.name.startswith("named")
    every = listed(pair if is_named else pair[1] for pair in pairs)
    every.whole = instance
    return every


def _register(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """A buffer, a parameter or a module gets its name."""
    given = [*asked.args, *asked.kwargs.values()]
    if len(given) > 1:
        name, value = name_of(instance, given[0], argument_at(asked.node, 0)), given[1]
        if asked.name == "register_buffer" and value is not None:
            value = buffer_of(reader, instance, name, value, asked.node)
            value.slot.lasting = asked.given(2, "persistent", True) is not False
        hold(reader, instance, name, value)
    return None


def _set_attribute(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """`self.__setattr__(name, value)`: a part, also under a name that is not known."""
    if len(asked.args) == len(("name", "value")):
        name, value = asked.args
        hold(reader, instance, name_of(instance, name, argument_at(asked.node, 0)), value)
    return None


def _attribute(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    name = asked.given(0, "name")
    return attribute(reader, instance, name) if isinstance(name, str) else UNKNOWN


def _load_state(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    _load(reader, instance, asked.given(0, "state_dict"), asked.node)
    return PLAIN


def _load(reader: Reader, instance: Instance, content: Value, node: ast.AST | None) -> None:
    """Fill a module with the content of a state dict: another module's, or a file's."""
    site = reader.site(node)
    loaded = replace(UNCLEAR, by="load", site=site, spelled="load_state_dict")
    table = content.items if isinstance(content, Table) else {}
    reader.life.loads += not any(isinstance(v, (Slot, Held, Fresh)) for v in table.values())
    for name, slot in _parameters_within(reader, instance):
        source = table.get(name)
        if isinstance(source, (Slot, Held, Fresh)):
            copy_into(reader, slot, source, site, "load_state_dict")
        else:
            load(reader, slot, loaded)
    for slot in (kept.slot for kept in _buffers_within(instance)):
        if slot.draw is UNWRITTEN and slot.lasting:
            write(reader, slot, loaded)


def _empty(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """All parameters and buffers get new memory, as a model that was made on meta needs it."""
    if reader.constructing is not None or not is_sure(reader):
        release(reader, [instance])
        return instance
    buffers = {kept.slot for kept in _buffers_within(instance)}
    slots = {slot for _, slot in _parameters_within(reader, instance)} | buffers
    reader.budget.elements(len(slots))
    reader.acts += 1
    reader.life.changes += 1
    for slot in slots - reader.life.frozen:
        slot.draw = UNWRITTEN if reader.is_certain(slot) else UNCLEAR
    return instance


def _write_all(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """Weights are filled with unknown values."""
    release(reader, [instance])
    return PLAIN


def _state(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """The parameters by name (of buffers it is not known which are persistent); perhaps more."""
    found: dict[str, Value] = {}
    is_open = False
    for prefix, module in modules_of(instance):
        above = f"{prefix}." if prefix else ""
        reader.budget.elements(len(module.attrs))
        for name, value in module.attrs.items():
            is_open |= isinstance(value, Unknown)
            if type(value) is Slot:
                found[above + name] = Held(value, value.shape)
    kept = dict(islice(found.items(), ELEMENTS))
    return Table(kept, is_open or len(kept) < len(found))


def _at_path(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """The module or parameter of a dotted name."""
    path = asked.given(0, "target")
    if not isinstance(path, str):
        return UNKNOWN
    value: Value = instance
    for part in path.split("."):
        value = attribute(reader, value, part)
    return value


def _block(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """A branch of one of torch's transformer layers, called by a subclass."""
    value, memory = asked.given(0, "x", UNKNOWN), asked.given(1, "mem", UNKNOWN)
    if instance.torch not in TRANSFORMERS:
        return UNKNOWN
    if asked.name == "_mha_block":
        return cross_attention(reader, instance, value, memory)
    branch = self_attention if asked.name == "_sa_block" else feed_forward
    return branch(reader, instance, value)


def _pre_hook(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    """What runs before every forward may compute a layer's weight, or fill the model once."""
    hook = asked.given(0, "hook")
    function = hook.function if isinstance(hook, Bound) else hook
    if is_layer(instance):
        instance.reparametrised = True
        reader.altered += 1
    is_named = isinstance(function, Function) and not isinstance(function.node, ast.Lambda)
    if is_named and fills(function.node.body):
        release(reader, [instance])
        why = "a hook may fill it before its first forward"
        reader.unfollowed = reader.unfollowed or why
    return PLAIN


def _plain(reader: Reader, instance: Instance, asked: _Asked) -> Value:
    return PLAIN


_METHODS: Mapping[str, Callable[[Reader, Instance, _Asked], Value]] = {
    "__init__": _furnish,
    "super.forward": _forward_of_torch,
    "super.reset": _reset,
    "forward": _forward,
    "__call__": _forward,
    "_fill_padding_idx_with_zero": _zero_padding,
    "requires_grad_": _train,
    "apply": _apply,
    **dict.fromkeys(("modules", "named_modules", "children", "named_children"), _listed),
    **dict.fromkeys(("parameters", "named_parameters"), _listed_parameters),
    "buffers": _listed_buffers,
    "to_empty": _empty,
    **dict.fromkeys(("register_buffer", "register_parameter"), _register),
    **dict.fromkeys(("add_module", "register_module"), _register),
    "__setattr__": _set_attribute,
    **dict.fromkeys(("__getattr__", "__getattribute__"), _attribute),
    "load_state_dict": _load_state,
    "state_dict": _state,
    **dict.fromkeys(("get_submodule", "get_parameter"), _at_path),
    # They give the module back, and leave its weights as they are.
    **dict.fromkeys(("to", "cuda", "cpu", "eval", "train", "type"), _itself),
    **dict.fromkeys(("half", "float", "double", "bfloat16", "share_memory", "compile"), _itself),
    # They fill weights with unknown values.
    **dict.fromkeys(("reset_parameters", "_load_from_state_dict"), _write_all),
    **dict.fromkeys(("_sa_block", "_mha_block", "_ff_block"), _block),
    "register_forward_pre_hook": _pre_hook,
    "extra_repr": _plain,
}
