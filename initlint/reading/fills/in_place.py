"""Writes in place: methods of parameters, and what they leave; which of them fill nothing."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from initlint.reading.abstract.values import (
    Fresh,
    Held,
    Slot,
    Value,
    known_number,
)
from initlint.reading.evaluate.tensors import explicit
from initlint.reading.fills.effects import fail, is_recomputed, is_sure, note
from initlint.reading.fills.rebound import is_lost_copy
from initlint.reading.fills.writes import drawn_with, is_same, worked_out, write
from initlint.reading.fills.written import with_expressions
from initlint.reading.reader import Reader
from initlint.records import Site
from initlint.torchlib.draws import (
    METHODS,
    UNCLEAR,
    Draw,
    inverse_error_function,
    shifted,
)
from initlint.torchlib.failures import why_it_raises

# Methods in place after which a parameter may still be drawn as it was, or nearly so.
_SHIFTING = ("clamp_", "add_", "sub_")
# What gives a parameter the values of another tensor: by its method, or as `p.data = tensor`.
_COPYING = ("copy_", "data")
# Methods in place that do not change values: gradients need not be switched off for them.
_KEPT = ("requires_grad_", "detach_", "share_memory_", "retain_grad_")
_KEEPING = ("requires_grad_", "detach_", *_SHIFTING)
# Initialisers that may give the values a mean, which adding something else may take away.
_WITH_MEAN = ("uniform_", "normal_", "trunc_normal_", "constant_", "ones_")


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
        draw = drawn_with(METHODS[name], list(args), renamed, site, name)
        write(reader, slot, with_expressions(reader, draw, METHODS[name], node, 0))
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
        draw = (
            explicit(worked_out(reader.drawn(slot), slot.shape), factor, site)
            if is_own
            else UNCLEAR
        )
        write(reader, slot, draw.at(site, spelled=name))
    elif name == "erfinv_":
        draw = inverse_error_function(worked_out(reader.drawn(slot), slot.shape), site)
        write(reader, slot, draw.at(site, spelled=name))
    elif name in ("add_", "sub_") and args and known_number(args[0]):
        draw = _shifted(reader.drawn(slot), name, args, kwargs, site)
        write(reader, slot, draw.at(draw.site, spelled=name))
    elif name == "requires_grad_":
        set_trainable(reader, slot, args[0] if args else kwargs.get("requires_grad", True))
    elif name == "clamp_" and _cuts_little(
        worked_out(reader.drawn(slot), slot.shape), args, kwargs
    ):
        return target
    elif name not in _KEEPING or _is_moved(reader, slot, name):
        is_part = name == "index_put_"
        write(reader, slot, Draw(UNCLEAR.name, site=site, spelled=name, part=is_part))
    return target


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
        reason = why_it_raises(name, drawn_with(name, args, {}, None, name).args, None)
    if not reason and isinstance(target, Slot) and name not in (*_KEPT, "data"):
        is_leaf = target.trainable is True and target.arms[: len(reader.arms)] == reader.arms
        if is_leaf and not graded_off(reader):
            reason = "a change in place of what is trained needs torch.no_grad(), or .data"
    if reason and is_sure(reader):
        note(reader, node, name, slots, "raises", reason)
        return False
    if reason:
        fail(reader)
    if name not in _KEPT and is_recomputed(reader, slots, node, name, _changed(node)):
        return True
    changed = _receiver(node) if node in reader.alone else None
    if is_lost_copy(reader, changed) and isinstance(target, (Held, Fresh)):
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
    """Whether an addition, or a clamp that cuts more than a little, may change how values lie."""
    if name not in _SHIFTING:
        return False
    is_drawn_around = isinstance(slot, Fresh) or reader.drawn(slot).name in _WITH_MEAN
    return name == "clamp_" or is_drawn_around


def copy_into(
    reader: Reader, slot: Slot | Fresh, source: Value, site: Site | None, spelled: str
) -> None:
    """Give a parameter the values of another tensor.

    What a copy leaves as it was, such as the default of a twin, is no write.
    """
    if isinstance(slot, Slot) and isinstance(source, (Slot, Held)):
        reader.life.follow(slot.holder, source)
    draw = _copied(reader, source, site)
    is_as_before = is_same(reader.drawn(slot), draw)
    if not (reader.outside and is_as_before):
        default = draw.default and is_as_before
        write(reader, slot, replace(draw, spelled=spelled, default=default))


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


def _changed(node: ast.AST | None) -> ast.AST | None:
    """The expression of what a method in place, or an assignment to a part, changes."""
    return _receiver(node) if isinstance(node, ast.Call) else node


def _receiver(node: ast.AST | None) -> ast.expr | None:
    """The expression of the tensor whose method is called."""
    func = node.func if isinstance(node, ast.Call) else None
    return func.value if isinstance(func, ast.Attribute) else None


def _shifted(
    draw: Draw, name: str, args: Sequence[Value], kwargs: Mapping[str, Value], site: Site | None
) -> Draw:
    """The draw after `add_` or `sub_` of a number, `alpha` times."""
    alpha = kwargs.get("alpha", 1)
    if not known_number(alpha):
        return UNCLEAR.at(site)
    return shifted(draw, float(args[0]) * alpha * (1 if name == "add_" else -1), site)
