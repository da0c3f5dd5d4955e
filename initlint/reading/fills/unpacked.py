"""Loops that take modules or parameters for pairs: `for name, m in self.modules():`."""

from __future__ import annotations

import ast

from initlint.reading.abstract.holders import CONTAINERS, Instance
from initlint.reading.abstract.values import Slot, Value
from initlint.reading.fills.effects import is_sure, note
from initlint.reading.objects.classes import lookup, outside_of
from initlint.reading.reader import Reader

_PAIR = 2
_ITERATING = ("__iter__", "__getitem__")


def check_unpacked(reader: Reader, target: ast.expr, item: Value) -> None:
    """Note a loop over the modules or parameters of a module whose target is a pair."""
    if not isinstance(target, (ast.Tuple, ast.List)) or not is_sure(reader):
        return
    count = len(target.elts)
    if count < _PAIR or any(isinstance(part, ast.Starred) for part in target.elts):
        return
    if isinstance(item, Instance) and not _is_iterable(reader, item):
        what = "modules"
    elif isinstance(item, Slot) and item.shape is not None and _differs(item.shape, count):
        what = "parameters"
    else:
        return
    why = f"it goes through {what}, which are no pairs; write named_{what}()"
    note(reader, target, f"the loop over {ast.unparse(target)}", [], "raises", why)


def _is_iterable(reader: Reader, module: Instance) -> bool:
    """Whether a module may give parts of its own one after the other."""
    if not module.torch or module.torch in CONTAINERS:
        return True
    if module.cls is None:
        return False
    is_plain = all(base.name.startswith("torch.nn.") for base in outside_of(reader, module.cls))
    return not is_plain or any(lookup(reader, module.cls, name) for name in _ITERATING)


def _differs(shape: tuple[Value, ...], count: int) -> bool:
    """Whether a tensor of this shape certainly has another number of rows."""
    return not shape or (type(shape[0]) is int and shape[0] != count)
