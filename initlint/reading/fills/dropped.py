"""Expressions that stand alone as statements: what initialises there, and what comes to nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable

from initlint.reading.abstract.frames import Frame
from initlint.reading.abstract.holders import Instance
from initlint.reading.abstract.submodules import parameters_of
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.fills.effects import is_sure, is_uncalled, lost_call, note
from initlint.reading.fills.filling import fills_by
from initlint.reading.objects.torch_modules import type_of
from initlint.reading.reader import Reader


def dropped(reader: Reader, node: ast.expr) -> Callable[[Frame], None]:
    """A compiled statement that is an expression, whose value nothing keeps."""
    code = code_of(reader, node)
    if isinstance(node, ast.Attribute):
        return _uncalled(reader, node)
    if not isinstance(node, ast.Call):

        def plain(frame: Frame) -> None:
            code(frame)

        return plain
    reader.alone.add(node)
    call, receivers, is_of_copy = node, _receivers(reader, node), _fills_copy(node)

    def step(frame: Frame) -> None:
        acts, denied = reader.acts, len(reader.denied)
        value = code(frame)
        if reader.drawing:
            return
        if reader.acts != acts:
            reader.acting.add(reader.site(call))
        if is_of_copy and _may_be_lost(reader, call):
            note(reader, call, _name(call), [], "lost", "it fills a copy that nothing keeps")
        elif reader.acts == acts and len(reader.denied) > denied:
            _note_denied(reader, call, denied)
        elif reader.acts == acts and _may_be_lost(reader, call):
            given = [receiver(frame) for receiver in receivers]
            reason = lost_call(reader, call, value, given)
            if reason:
                slots = [v for v in given if isinstance(v, Slot)]
                note(reader, call, _name(call), slots, "lost", reason)

    return step


def _fills_copy(node: ast.Call) -> bool:
    """Whether a call fills a copy of a module: `deepcopy(net).apply(f)`, `init(deepcopy(net))`."""
    name = _name(node).lower()
    if isinstance(node.func, ast.Attribute) and name in ("apply", "reset_parameters"):
        return _is_deepcopy(node.func.value)
    is_init = any(word in name for word in ("init", "reset"))
    return is_init and len(node.args) == 1 and _is_deepcopy(node.args[0])


def _is_deepcopy(node: ast.expr) -> bool:
    """Whether an expression is a deep copy, or a part of one."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return isinstance(node, ast.Call) and _name(node) == "deepcopy"


def _may_be_lost(reader: Reader, node: ast.Call) -> bool:
    """Whether a call stands where models are made and filled, whenever one is."""
    return (reader.constructing is not None or bool(reader.visits)) and is_sure(reader)


def _receivers(reader: Reader, node: ast.Call) -> list[Callable[[Frame], Value]]:
    """What gives the value whose method is called, and the first argument, if they are simple.

    Of calls within these, the same: `torch.log(self.rate.abs())`.
    """
    parts = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    parts += node.args[:1]
    found: list[Callable[[Frame], Value]] = []
    for part in parts:
        if isinstance(part, ast.Call):
            found += _receivers(reader, part)
        elif isinstance(part, (ast.Name, ast.Attribute)):
            found.append(code_of(reader, part))
    return found


def _name(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def _note_denied(reader: Reader, node: ast.Call, begun: int) -> None:
    """Note a helper that has asked what it is handed, and then done nothing."""
    things = reader.denied[begun:]
    thing, text = things[0]
    if any(other is not thing for other, _ in things) or not is_sure(reader):
        return
    name = _name(node)
    if name == "__init__" or not (fills_by(name) or "weight" in name.lower()):
        # A constructor asks what it is handed in order to keep it, not to fill it.
        return
    if isinstance(thing, Slot):
        reason = f"it asks {text}, and is handed a parameter, which is no module"
        note(reader, node, name, [thing], "lost", reason, denied=True)
    elif isinstance(thing, Instance):
        slots = [slot for _, slot in parameters_of(thing)]
        if slots and all(slot.draw.default for slot in slots):
            reason = (
                f"it asks {text}, and is handed a {type_of(thing)}, which it does not look into"
            )
            note(reader, node, name, slots[:1], "lost", reason, denied=True)


def _uncalled(reader: Reader, node: ast.Attribute) -> Callable[[Frame], None]:
    """A method that is named and not called: `self.reset_parameters`."""
    code = code_of(reader, node)

    def step(frame: Frame) -> None:
        value = code(frame)
        is_init = "init" in node.attr or "reset" in node.attr or node.attr.endswith("_")
        if is_init and is_uncalled(value) and _is_here(reader):
            note(reader, node, node.attr, [], "lost", "it is named, but not called")

    return step


def _is_here(reader: Reader) -> bool:
    return reader.constructing is not None and is_sure(reader)
