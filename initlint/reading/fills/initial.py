"""Initialisation: calls of torch.nn.init and writes in place."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from initlint.reading.abstract.holders import Instance, Listing, Table
from initlint.reading.abstract.parts import may_hold, options_of, reached
from initlint.reading.abstract.sizes import product
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Fresh,
    Held,
    Kept,
    Slot,
    Value,
    is_stranger,
)
from initlint.reading.fills import strangers
from initlint.reading.fills.effects import (
    Missing,
    Noted,
    fail,
    is_module,
    is_recomputed,
    is_sure,
    note,
)
from initlint.reading.fills.mistakes import is_shapeless
from initlint.reading.fills.rebound import is_lost_copy
from initlint.reading.fills.writes import drawn_with, write
from initlint.reading.fills.written import with_expressions
from initlint.reading.reader import Reader
from initlint.records import Site
from initlint.torchlib.draws import (
    ARGUMENTS,
    DEPRECATED,
    UNCLEAR,
    UNWRITTEN,
    Draw,
    calculate_gain,
)
from initlint.torchlib.failures import why_it_raises


def initialise(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """A function of torch.nn.init."""
    if name == "calculate_gain":
        return _gain(reader, args, kwargs, node)
    if name == "_calculate_fan_in_and_fan_out":
        return _torch_fans(args[0] if args else None)
    if name == "_calculate_correct_fan" and len(args) > 1:
        fans = _torch_fans(args[0])
        return fans[0 if args[1] == "fan_in" else 1]
    full = name if name in ARGUMENTS else name + "_"
    values = list(args)
    tensor = values.pop(0) if values else kwargs.get("tensor")
    tensor = tensor.slot if isinstance(tensor, Kept) else tensor
    given = {key: v for key, v in kwargs.items() if key not in ("tensor", "generator")}
    draw = drawn_with(full, values, given, reader.site(node), name)
    targets = _targets(tensor, full)
    if is_stranger(tensor):
        strangers.filled(reader, node)
    resolved = full if name in DEPRECATED else name
    filled = [target for target, _ in targets]
    slots = [target for target in filled if isinstance(target, Slot)]
    reason = _failure(name, full, tensor, draw)
    if not reason and is_shapeless(reader, tensor):
        reason = "the layer is lazy: its parameters have no shape before the first forward"
    if reason and is_sure(reader):
        note(reader, node, name, slots, "raises", reason)
        return tensor
    if reason:
        fail(reader)
    if is_recomputed(reader, slots, node, name, _first(node)):
        return tensor
    if node in reader.alone and is_lost_copy(reader, _first(node)):
        note(reader, node, name, slots, "lost", "it fills a copy that nothing keeps")
        return tensor
    # Only for the record: an expression is no mode, and no name of a nonlinearity.
    recorded = with_expressions(reader, draw, full, node, 1)
    for target, is_whole in targets:
        write(reader, target, recorded if is_whole else _in_part(draw))
    _note(reader, name, resolved, draw.site, tensor, filled)
    return tensor


def _gain(
    reader: Reader, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.AST | None
) -> Value:
    """The gain of a nonlinearity; a name without one raises an error."""
    try:
        return calculate_gain(*args, **kwargs)
    except (ValueError, TypeError, ArithmeticError):
        fail(reader)
        name = args[0] if args else kwargs.get("nonlinearity")
        if isinstance(name, str) and reader.constructing is not None and is_sure(reader):
            reason = f"torch knows no gain for {name!r}"
            note(reader, node, "calculate_gain", [], "raises", reason)
        return PLAIN


def _note(
    reader: Reader,
    name: str,
    resolved: str,
    site: Site | None,
    tensor: Value,
    targets: list[Slot | Fresh],
) -> None:
    """Keep a call of an initialiser with the module whose constructor makes it.

    Outside of constructors, with the module that holds what it fills.
    """
    slots = [target for target in targets if isinstance(target, Slot)]
    holders = [slot.holder for slot in slots if isinstance(slot.holder, Instance)]
    noted = Noted(name, resolved, site, reader.within(), tensor, targets)
    for owner in [reader.constructing] if reader.constructing is not None else holders:
        owner.calls.append(noted)
    if reader.constructing is None and not holders:
        reader.loose.append(noted)


def parameter_of(
    reader: Reader, value: Value, node: ast.AST | None, trainable: Value = True
) -> Slot:
    """The parameter that nn.Parameter makes from a tensor."""
    shape, draw = None, UNCLEAR
    value = _agreed(value)
    if isinstance(value, Fresh):
        shape, draw = value.shape, value.draw
    elif isinstance(value, (Slot, Held)):
        shape = value.shape
    site = reader.site(node)
    if draw is not UNWRITTEN:
        draw = draw.at(site, reader.within())
    made = Slot(reader.constructing, "", shape, draw, reader.arms, reader.constructing, site)
    made.trainable = trainable if isinstance(trainable, bool) else None
    if isinstance(value, Fresh):
        value.slots.append(made)
    return made


def _agreed(value: Value) -> Value:
    """The first of several new tensors of which nobody knows which one it is, if all are alike."""
    options = options_of(value)
    first = options[0] if options else value
    if len(options) < 2 or not isinstance(first, Fresh):
        return value
    if not all(isinstance(other, Fresh) and other.draw == first.draw for other in options):
        return value
    has_one_shape = all(isinstance(o, Fresh) and o.shape == first.shape for o in options)
    return first if has_one_shape else Fresh(None, first.draw)


def release(reader: Reader, values: Iterable[Value], draw: Draw = UNCLEAR, name: str = "") -> None:
    """Make the content of all parameters that unknown code can reach unclear.

    `name` is that of the function that gets them, if it has one.
    """
    for count, value in enumerate(reached(values)):
        if count % _CHARGED == 0:
            reader.budget.elements(_CHARGED)
        kind = type(value)
        if kind is Slot or kind is Fresh:
            reader.graph.touched.add(value)
            write(reader, value, draw)
            if name and isinstance(value, Slot):
                reader.released[value] = name
        elif (kind is Listing or kind is Table) and not value.items:
            # It is there to be filled.
            value.open = True


def lost(
    reader: Reader, args: Sequence[Value], kwargs: Mapping[str, Value], name: str = ""
) -> Value:
    """The result of an unknown function, of this name."""
    reader.acts += 1
    values = [*args, *kwargs.values()]
    reachable = (v for v in values if may_hold(v) or isinstance(v, (Listing, Table)))
    release(reader, reachable, name=name)
    inputs = reader.nodes_in(values)
    return reader.unclear(inputs, name) if inputs else UNKNOWN


# So many values are charged at once.
_CHARGED = 8


def _first(node: ast.AST | None) -> ast.expr | None:
    """The expression of the tensor that an initialiser is given."""
    return node.args[0] if isinstance(node, ast.Call) and node.args else None


def _failure(name: str, full: str, tensor: Value, draw: Draw) -> str:
    """Why a call of torch.nn.init raises an error; empty if it does not, or nobody knows."""
    if name != full and name not in DEPRECATED and full in ARGUMENTS:
        return f"torch.nn.init has no {name}; it is called {full}"
    if isinstance(tensor, Missing):
        return tensor.reason()
    if isinstance(tensor, Instance) and is_module(tensor):
        kind = tensor.cls.name if tensor.cls is not None else tensor.torch
        return f"it fills a tensor, and gets a module ({kind})"
    if tensor is None:
        return "it gets None: there is no such parameter"
    shape = tensor.shape if isinstance(tensor, (Slot, Held, Fresh)) else None
    return why_it_raises(full, draw.args, None if shape is None else len(shape))


def _in_part(draw: Draw) -> Draw:
    """A draw that fills a part of a tensor, or all of it with other fans than its own."""
    return replace(UNCLEAR, site=draw.site, spelled=draw.spelled, part=True)


def _targets(value: Value, initialiser: str) -> list[tuple[Slot | Fresh, bool]]:
    """The parameters, and tensors that may become parameters, that an initialiser writes to.

    With each, whether the initialiser fills all of it, with the fans of its own shape.
    """
    found: list[tuple[Slot | Fresh, bool]] = []
    by_fans = initialiser.startswith(("kaiming", "xavier", "orthogonal"))
    for option in options_of(value):
        if isinstance(option, (Slot, Fresh)):
            found.append((option, True))
        elif isinstance(option, Held) and not option.reparametrised:
            is_alike = option.shape == option.slot.shape
            found.append((option.slot, not option.part and (is_alike or not by_fans)))
    return found


def _torch_fans(value: Value) -> tuple[Value, Value]:
    shape = value.shape if isinstance(value, (Slot, Held)) else None
    if shape is None or len(shape) < 2:
        return UNKNOWN, UNKNOWN
    return product(shape[1:]), product((shape[0], *shape[2:]))
