"""Statements of constructors and initialisers that raise an error, whatever the model is."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from functools import lru_cache

from initlint.reading.abstract.frames import Code, Frame
from initlint.reading.abstract.holders import Bound, Function, Instance, Method, truth
from initlint.reading.abstract.parts import leaves
from initlint.reading.abstract.values import External, Fresh, Held, Slot, Value
from initlint.reading.evaluate.compiled import code_of
from initlint.reading.fills.effects import Missing, is_sure, lacks, note
from initlint.reading.reader import Reader

_NUMBERED = ("LongTensor", "IntTensor", "ShortTensor", "ByteTensor", "BoolTensor", "randint")
# What is meant by attributes that no layer of torch's has.
_PLURALS = {"weights": "weight", "biases": "bias"}
_WHOLE_TYPES = ("int", "bool", "long", "short", "int64", "int32", "int16", "int8", "uint8")


def check_assigned(reader: Reader, owner: Instance, target: ast.Attribute, value: Value) -> None:
    """Note what takes a parameter's place and cannot, or is meant to and misses its name.

    So are parts that come before `Module.__init__`.
    """
    if not owner.torch:
        return
    old = owner.attrs.get(target.attr)
    is_trained = isinstance(old, Slot) and old.trainable is True and old.holder is owner
    if isinstance(value, (Fresh, Held)) and is_trained and not owner.recomputed:
        assert isinstance(old, Slot)
        is_certain = old.arms[: len(reader.arms)] == reader.arms
        if is_sure(reader) and is_certain and not _is_parameter(value):
            why = "a parameter can only be replaced by an nn.Parameter, or its .data by a tensor"
            note(reader, target, f"the assignment to {target.attr}", [old], "raises", why)
    meant = _singular(owner, target.attr)
    if (
        isinstance(value, Slot)
        and meant is not None
        and is_sure(reader)
        and not _is_read(reader, target)
    ):
        why = f"{owner.torch} has no {target.attr}, and goes on with its {meant.name}"
        note(reader, target, f"the assignment to {target.attr}", [meant], "lost", why)
    is_part = isinstance(value, Slot) or (isinstance(value, Instance) and bool(value.torch))
    if is_part and owner is reader.constructing and _is_early(reader, owner, target):
        why = "parts of a module can only be set after super().__init__()"
        note(reader, target, f"the assignment to {target.attr}", [], "raises", why)


def _is_read(reader: Reader, target: ast.Attribute) -> bool:
    """Whether the file reads an attribute of this name: then it is one of the author's own."""
    tree = reader.frames[-1].module.source.tree
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == target.attr
        and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )


def _singular(owner: Instance, name: str) -> Slot | None:
    """The parameter of a layer of torch's whose name was meant: `weight` by `weights`."""
    found = owner.attrs.get(_PLURALS.get(name, ""))
    return found if isinstance(found, Slot) and lacks(owner, name) else None


def _is_parameter(value: Value) -> bool:
    """Whether a new tensor has become a parameter already."""
    return isinstance(value, Fresh) and bool(value.slots)


def _is_early(reader: Reader, owner: Instance, node: ast.AST) -> bool:
    """Whether a line of a constructor comes before the one that calls Module.__init__.

    Only in a class that derives from nn.Module itself: a base of another class may call it.
    """
    cls = owner.cls
    constructor = cls.members.get("__init__") if cls is not None else None
    running = next((n for n in reversed(reader.active) if isinstance(n, ast.FunctionDef)), None)
    if not isinstance(constructor, ast.FunctionDef) or running is not constructor:
        return False
    bases = [getattr(base, "attr", "") or getattr(base, "id", "") for base in cls.node.bases]
    if bases != ["Module"] or cls.node.decorator_list or not is_sure(reader):
        return False
    begins = _begins(constructor)
    return begins is None or getattr(node, "lineno", 0) < begins


@lru_cache(maxsize=1024)
def _begins(constructor: ast.FunctionDef) -> int | None:
    """The first line that names an `__init__`; looked for once, not for every part."""
    for statement in constructor.body:
        names = (node for node in ast.walk(statement) if isinstance(node, ast.Attribute))
        lines = [node.lineno for node in names if node.attr == "__init__"]
        if lines:
            return min(lines)
    return None


def check_iterated(reader: Reader, node: ast.expr, value: Value) -> None:
    """Note a loop over a method that was meant to be called: `for m in self.modules:`.

    So is one, in a callback of `apply`, over an attribute that the module does not have.
    """
    if isinstance(value, Missing) and reader.visits and is_sure(reader):
        note(reader, node, f"the loop over {value.name}", [], "raises", value.reason())
    elif _is_walk(value) and is_sure(reader):
        text = ast.unparse(node)
        if len(text) <= _LONGEST:
            why = f"it is a method, not what the method gives; write {text}()"
            note(reader, node, f"the loop over {text}", [], "raises", why)


def check_classes(reader: Reader, node: ast.AST | None, wanted: Value) -> None:
    """Note an isinstance that is given a text for a class: `isinstance(m, ("Linear",))`."""
    texts = [each for each in leaves(wanted, (tuple,)) if isinstance(each, str)]
    if texts and is_sure(reader):
        why = f"it takes classes, and gets the text {texts[0]!r}"
        note(reader, node, "isinstance", [], "raises", why)


def _is_walk(value: Value) -> bool:
    """Whether a value is a method of a module that gives its modules or parameters."""
    if not isinstance(value, (Bound, Method)) or not isinstance(value.receiver, Instance):
        return False
    name = value.name if isinstance(value, Method) else getattr(_node(value.function), "name", "")
    return bool(value.receiver.torch) and name in _WALKS


def _node(value: Value) -> ast.AST | None:
    return value.node if isinstance(value, Function) else None


_WALKS = {
    *("modules", "named_modules", "children", "named_children", "parameters"),
    *("named_parameters", "buffers", "named_buffers"),
}
_LONGEST = 60


def truths(reader: Reader, test: ast.expr) -> list[tuple[list[Code], ast.expr, Code]]:
    """The parts of a condition that are a tensor, for all that is seen: `m.bias`, `not m.bias`.

    Each with the conditions that have to hold before it is asked.
    """
    parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    found: list[tuple[list[Code], ast.expr, Code]] = []
    for place, part in enumerate(parts):
        inner = part.operand if isinstance(part, ast.UnaryOp) else part
        if isinstance(inner, ast.Attribute) and inner.attr in ("bias", "weight"):
            guards = [code_of(reader, each) for each in parts[:place]]
            found.append((guards, inner, code_of(reader, inner)))
    return found


def check_truth(
    reader: Reader, asked: Sequence[tuple[list[Code], ast.expr, Code]], frame: Frame
) -> None:
    """Note a condition that asks whether a tensor of several numbers is true: `if m.bias:`."""
    for guards, node, code in asked:
        if not is_sure(reader) or not all(truth(guard(frame)) for guard in guards):
            continue
        value = code(frame)
        shape = value.shape if isinstance(value, Slot) else None
        if not shape or not all(type(size) is int for size in shape):
            continue
        if math.prod(int(size) for size in shape if isinstance(size, int)) > 1:
            assert isinstance(value, Slot)
            text = ast.unparse(node)
            why = f"a tensor of several numbers is neither true nor false; write {text} is not None"
            note(reader, node, f"the condition {text}", [value], "raises", why)


def is_shapeless(reader: Reader, tensor: Value) -> bool:
    """Whether a parameter is one of a lazy layer, which has no shape before the first forward.

    Only in a constructor that calls none of its parts.
    """
    slot = tensor.slot if isinstance(tensor, Held) else tensor
    holder = slot.holder if isinstance(slot, Slot) else None
    if not isinstance(holder, Instance) or not holder.torch.startswith("Lazy"):
        return False
    functions = [node for node in reader.active if isinstance(node, ast.FunctionDef)]
    is_built = any(node.name == "__init__" for node in functions)
    return is_built and not any(map(_calls_parts, functions))


@lru_cache(maxsize=256)
def _calls_parts(function: ast.FunctionDef) -> bool:
    """Whether a function may run forward: `self(x)`, `self.conv(x)`, `model(x)`."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func
        if isinstance(called, ast.Subscript) or getattr(called, "id", "") in ("self", "model"):
            return True
        is_own = isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == "self"
        name = getattr(called, "attr", "")
        if is_own and name not in ("apply", "register_buffer") and "init" not in name:
            return True
    return False


def check_numbers(reader: Reader, node: ast.AST | None, trainable: Value) -> None:
    """Note a parameter of whole numbers, which have no gradient: `Parameter(torch.arange(4))`."""
    is_call = isinstance(node, ast.Call) and bool(node.args) and reader.constructing is not None
    if not is_call or trainable is not True or not is_sure(reader):
        return
    assert isinstance(node, ast.Call)
    if _is_whole(reader, node.args[0]):
        why = "whole numbers have no gradient; write them with a point, or give a dtype"
        note(reader, node, "Parameter", [], "raises", why)


def _is_whole(reader: Reader, node: ast.expr) -> bool:
    """Whether an expression certainly makes a tensor of whole numbers or truths."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    maker = code_of(reader, node.func)(reader.frames[-1])
    if not isinstance(maker, External) or not maker.name.startswith("torch."):
        return False
    name = maker.name.removeprefix("torch.")
    dtypes = [keyword.value for keyword in node.keywords if keyword.arg == "dtype"]
    if dtypes:
        return isinstance(dtypes[0], ast.Attribute) and dtypes[0].attr in _WHOLE_TYPES
    if any(keyword.arg is None for keyword in node.keywords):
        return False
    if name in ("tensor", "as_tensor"):
        return bool(node.args) and _are_whole(node.args[0])
    if name == "arange":
        return bool(node.args) and all(_are_whole(each) for each in node.args)
    return name in _NUMBERED


def _are_whole(node: ast.expr) -> bool:
    """Whether an expression is a whole number, or a list of such numbers."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return bool(node.elts) and all(map(_are_whole, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, int)
