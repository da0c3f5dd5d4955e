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
    Sym,
    Value,
    known_number,
)
from initlint.reading.evaluate.tensors import explicit
from initlint.reading.fills.effects import Missing, Noted, is_copy, is_module, is_sure, note
from initlint.reading.fills.rebound import is_lost_copy
from initlint.reading.fills.writes import is_same, write
from initlint.reading.reader import Reader
from initlint.records import Site
from initlint.torchlib.draws import (
    ARGUMENTS,
    DEPRECATED,
    METHODS,
    UNCLEAR,
    UNWRITTEN,
    Draw,
    calculate_gain,
    drawn_by,
    inverse_error_function,
    shifted,
)
from initlint.torchlib.failures import why_it_raises

# Methods in place after which a parameter is still drawn as it was, or nearly so.
_SHIFTING = ("clamp_", "add_", "sub_")
# What gives a parameter the values of another tensor: by its method, or as `p.data = tensor`.
_COPYING = ("copy_", "data")
# Methods in place that do not change values: gradients need not be switched off for them.
_KEPT = ("requires_grad_", "detach_", "share_memory_", "retain_grad_")
_KEEPING = ("requires_grad_", "detach_", *_SHIFTING)
# Initialisers that may give the values a mean, which adding something else may take away.
_WITH_MEAN = ("uniform_", "normal_", "trunc_normal_", "constant_", "ones_")


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
    draw = _drawn(full, values, given, reader.site(node), name)
    targets = _targets(tensor, full)
    resolved = full if name in DEPRECATED else name
    filled = [target for target, _ in targets]
    slots = [target for target in filled if isinstance(target, Slot)]
    reason = _failure(name, full, tensor, draw)
    if reason and is_sure(reader):
        note(reader, node, name, slots, "raises", reason)
        return tensor
    if _is_recomputed(reader, slots, node, name, _first(node)):
        return tensor
    if node in reader.alone and (is_copy(_first(node)) or is_lost_copy(reader, _first(node))):
        note(reader, node, name, slots, "lost", "it fills a copy that nothing keeps")
        return tensor
    for target, is_whole in targets:
        write(reader, target, draw if is_whole else _in_part(draw))
    _note(reader, name, resolved, draw.site, tensor, filled)
    return tensor


def _gain(
    reader: Reader, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.AST | None
) -> Value:
    """The gain of a nonlinearity; a name without one raises an error."""
    try:
        return calculate_gain(*args, **kwargs)
    except (ValueError, TypeError, ArithmeticError):
        name = args[0] if args else kwargs.get("nonlinearity")
        if isinstance(name, str) and reader.constructing is not None and is_sure(reader):
            reason = f"torch knows no gain for {name!r}"
            note(reader, node, "calculate_gain", [], "raises", reason)
        return PLAIN


def _is_recomputed(
    reader: Reader, slots: Sequence[Slot], node: ast.AST | None, name: str, written: ast.AST | None
) -> bool:
    """Whether forward computes these weights anew from others, so that a write is lost."""
    if reader.drawing or reader.still or written is None:
        return False
    for slot in slots:
        by = slot.holder.recomputed if isinstance(slot.holder, Instance) else ""
        # parameters() gives what the weight is computed from.
        if by and slot.name == "weight" and _names_weight(written):
            why = f"{by} computes weight anew at every forward, from other parameters"
            note(reader, node, name, [slot], "recomputed", why)
            return True
    return False


def _names_weight(node: ast.AST) -> bool:
    """Whether an expression names an attribute `weight`."""
    return any(getattr(part, "attr", "") == "weight" for part in ast.walk(node))


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


def write_in_place(
    reader: Reader,
    target: Held | Slot | Fresh,
    name: str,
    args: Sequence[Value],
    kwargs: Mapping[str, Value],
    node: ast.AST | None,
) -> Value:
    """An in-place method of a parameter or of a new tensor."""
    slot = target.slot if isinstance(target, Held) else target
    site, bare = reader.site(node), name.strip("_")
    renamed = {{"from": "a", "to": "b", "value": "val"}.get(k, k): v for k, v in kwargs.items()}
    if _fills_nothing(reader, target, name, args, node):
        return target
    if isinstance(target, Held) and target.reparametrised:
        return target
    if isinstance(target, Held) and target.part and name not in _KEEPING:
        write(reader, slot, Draw(UNCLEAR.name, site=site, spelled=name, part=True))
        return target
    if isinstance(target, Held) and target.shape is None and name not in METHODS:
        write(reader, slot, UNCLEAR.at(site, spelled=name))
    elif name in METHODS:
        write(reader, slot, _drawn(METHODS[name], list(args), renamed, site, name))
    elif name in _COPYING:
        copy_into(reader, slot, args[0] if args else None, site, name)
        if reader.outside and isinstance(slot, Slot) and isinstance(node, ast.Call):
            _follow_mixed(reader, slot, node)
    elif bare in ("mul", "div") and args:
        factor = args[0]
        if bare == "div" and known_number(factor) and factor:
            factor = 1 / factor
        # A layer that represents several equal ones is scaled once for each of them.
        is_own = isinstance(slot, Fresh) or slot.home is reader.constructing
        draw = explicit(_moments_of(reader, slot), factor, site) if is_own else UNCLEAR
        write(reader, slot, draw.at(site, spelled=name))
    elif name == "erfinv_":
        draw = inverse_error_function(_moments_of(reader, slot), site)
        write(reader, slot, draw.at(site, spelled=name))
    elif name in ("add_", "sub_") and args and known_number(args[0]):
        draw = _shifted(reader.drawn(slot), name, args, kwargs, site)
        write(reader, slot, draw.at(draw.site, spelled=name))
    elif name == "requires_grad_":
        set_trainable(reader, slot, args[0] if args else kwargs.get("requires_grad", True))
    elif name == "clamp_" and _cuts_little(_moments_of(reader, slot), args, kwargs):
        return target
    elif name not in _KEEPING or _is_moved(reader, slot, name):
        is_part = name == "index_put_"
        write(reader, slot, Draw(UNCLEAR.name, site=site, spelled=name, part=is_part))
    return target


def _moments_of(reader: Reader, slot: Slot | Fresh) -> Draw:
    """What a parameter holds now, with mean and std as far as its sizes tell them."""
    draw = reader.drawn(slot)
    if draw.std is not None or not draw.name or draw.offset:
        return draw
    sizes = [round(size) if type(size) in (int, float) else 0 for size in slot.shape or ()]
    found = drawn_by(draw.name, draw.args, tuple(sizes) if all(sizes) else None)
    return draw if found.std is None else replace(draw, mean=found.mean, std=found.std)


def _cuts_little(draw: Draw, args: Sequence[Value], kwargs: Mapping[str, Value]) -> bool:
    """Whether a clamp leaves nearly all values as they are: its ends are two std away."""
    given = {**dict(zip(_ENDS, args, strict=False)), **kwargs}
    ends = [given[end] for end in _ENDS if known_number(given.get(end))]
    if len(ends) < len(_ENDS) or not draw.std:
        return False
    mean, reach = (draw.mean or 0.0) + draw.offset, _TWO * draw.std
    return bool(ends[0] <= mean - reach and ends[1] >= mean + reach)


_ENDS = ("min", "max")
# Nearly two: a normal distribution that was cut at two std has a smaller std.
_TWO = 1.9


def _fills_nothing(
    reader: Reader,
    target: Held | Slot | Fresh,
    name: str,
    args: Sequence[Value],
    node: ast.AST | None,
) -> bool:
    """Whether a method in place raises an error, or writes to what is lost; that is noted."""
    slot = target.slot if isinstance(target, Held) else target
    slots = [slot] if isinstance(slot, Slot) else []
    reason = ""
    if name in ("normal_", "uniform_"):
        reason = why_it_raises(name, _drawn(name, args, {}, None, name).args, None)
    if not reason and isinstance(target, Slot) and name not in (*_KEPT, "data"):
        is_leaf = target.trainable is True and target.arms[: len(reader.arms)] == reader.arms
        if is_leaf and not graded_off(reader):
            reason = "a change in place of what is trained needs torch.no_grad(), or .data"
    if reason and is_sure(reader):
        note(reader, node, name, slots, "raises", reason)
        return False
    if name not in _KEPT and _is_recomputed(reader, slots, node, name, _changed(node)):
        return True
    changed = _receiver(node) if node in reader.alone else None
    is_lost = is_copy(changed) or is_lost_copy(reader, changed)
    if is_lost and isinstance(target, (Held, Fresh)):
        note(reader, node, name, slots, "lost", "it fills a copy that nothing keeps")
        return True
    return False


def graded_off(reader: Reader) -> bool:
    """Whether gradients may be switched off here: by a `with`, a decorator, or a framework."""
    functions = [n for n in reader.active if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    is_off = reader.ungraded > 0 or reader.hooking is not None
    return is_off or any(node.decorator_list for node in functions)


def set_trainable(reader: Reader, slot: Slot | Fresh, value: Value) -> None:
    """Whether a parameter is trained from now on; None where that is not known."""
    if isinstance(slot, Slot):
        is_known = isinstance(value, bool) and slot.arms[: len(reader.arms)] == reader.arms
        slot.trainable = value if is_known or slot.trainable is value else None


def _is_moved(reader: Reader, slot: Slot | Fresh, name: str) -> bool:
    """Whether an addition or a clamp may change the mean of the values."""
    if name not in _SHIFTING:
        return False
    return isinstance(slot, Fresh) or reader.drawn(slot).name in _WITH_MEAN


def copy_into(
    reader: Reader, slot: Slot | Fresh, source: Value, site: Site | None, spelled: str
) -> None:
    """Give a parameter the values of another tensor.

    What a copy leaves as it was, such as the default of a twin, is no write.
    """
    if isinstance(slot, Slot) and isinstance(source, (Slot, Held)):
        reader.life.follow(slot.holder, source)
    draw = _copied(reader, source, site)
    if not (reader.outside and is_same(reader.drawn(slot), draw)):
        write(reader, slot, replace(draw, spelled=spelled, default=False))


def _follow_mixed(reader: Reader, slot: Slot, node: ast.Call) -> None:
    """Note that `target.copy_(target * (1 - tau) + source * tau)` follows another model."""
    names = {n.id for arg in node.args for n in ast.walk(arg) if isinstance(n, ast.Name)}
    for value in [reader.frames[-1].names.get(name) for name in sorted(names)]:
        if isinstance(value, Slot) and value is not slot:
            reader.life.follow(slot.holder, value)


def _copied(reader: Reader, value: Value, site: Site | None) -> Draw:
    if isinstance(value, Fresh):
        return value.draw.at(site)
    if isinstance(value, Slot) or (isinstance(value, Held) and not value.reparametrised):
        slot = value if isinstance(value, Slot) else value.slot
        return replace(reader.drawn(slot), site=site, by="copy")
    return UNCLEAR.at(site)


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


def release(reader: Reader, values: Iterable[Value], draw: Draw = UNCLEAR) -> None:
    """Make the content of all parameters that unknown code can reach unclear."""
    for count, value in enumerate(reached(values)):
        if count % _CHARGED == 0:
            reader.budget.elements(_CHARGED)
        kind = type(value)
        if kind is Slot or kind is Fresh:
            reader.graph.touched.add(value)
            write(reader, value, draw)
        elif (kind is Listing or kind is Table) and not value.items:
            # It is there to be filled.
            value.open = True


def lost(
    reader: Reader, args: Sequence[Value], kwargs: Mapping[str, Value], name: str = ""
) -> Value:
    """The result of an unknown function, of this name."""
    reader.acts += 1
    values = [*args, *kwargs.values()]
    release(reader, (v for v in values if may_hold(v) or isinstance(v, (Listing, Table))))
    inputs = reader.nodes_in(values)
    return reader.unclear(inputs, name) if inputs else UNKNOWN


# So many values are charged at once.
_CHARGED = 8


def _first(node: ast.AST | None) -> ast.expr | None:
    """The expression of the tensor that an initialiser is given."""
    return node.args[0] if isinstance(node, ast.Call) and node.args else None


def _changed(node: ast.AST | None) -> ast.AST | None:
    """The expression of what a method in place, or an assignment to a part, changes."""
    return _receiver(node) if isinstance(node, ast.Call) else node


def _receiver(node: ast.AST | None) -> ast.expr | None:
    """The expression of the tensor whose method is called."""
    func = node.func if isinstance(node, ast.Call) else None
    return func.value if isinstance(func, ast.Attribute) else None


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


def _shifted(
    draw: Draw, name: str, args: Sequence[Value], kwargs: Mapping[str, Value], site: Site | None
) -> Draw:
    """The draw after `add_` or `sub_` of a number, `alpha` times."""
    alpha = kwargs.get("alpha", 1)
    if not known_number(alpha):
        return UNCLEAR.at(site)
    return shifted(draw, float(args[0]) * alpha * (1 if name == "add_" else -1), site)


def _drawn(
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
    if not all(isinstance(value, (int, float, str, Sym)) for value in given.values()):
        numbers = {key: value for key, value in given.items() if known_number(value)}
        return Draw("unknown", numbers, site=site, spelled=spelled)
    return Draw(name, given, site=site, spelled=spelled)


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
