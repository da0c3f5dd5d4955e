"""Sequences of layers as the source writes them: which member stands where, counted from where."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from initlint.fix.locate import Spot


@dataclass(frozen=True)
class Slot:
    """One member of a sequence as it is written, or a run of unknown length (`many`)."""

    node: ast.expr
    many: bool = False


class Members:
    """The members of a sequence, and what is known of their places."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        self._index = {id(slot.node): index for index, slot in enumerate(slots)}
        runs = [index for index, slot in enumerate(slots) if slot.many]
        self._first_run = runs[0] if runs else len(slots)
        self._last_run = runs[-1] if runs else -1

    def position(self, spot: Spot) -> int:
        """Which of them is or holds the spot's call."""
        return next(self._index[id(node)] for node in spot.chain if id(node) in self._index)

    def before(self, position: int) -> int | None:
        """How many members come before one, if that is known."""
        return position if position <= self._first_run else None

    def after(self, position: int) -> int | None:
        """How many members come after one, if that is known."""
        return len(self.slots) - 1 - position if position >= self._last_run else None


@lru_cache(maxsize=64)
def members_of(sequence: ast.expr) -> Members:
    """The members of a sequence as far as the source shows them."""
    return Members(_slots(sequence))


@lru_cache(maxsize=64)
def arguments_of(call: ast.Call) -> Members:
    """The positional arguments of a call as members of what it makes."""
    return Members(_slots_of(call.args))


def _slots(sequence: ast.expr) -> list[Slot]:
    match sequence:
        case ast.List() | ast.Tuple():
            return _slots_of(sequence.elts)
        case ast.BinOp(op=ast.Add()):
            return _slots(sequence.left) + _slots(sequence.right)
    return [Slot(sequence, many=True)]


def _slots_of(members: list[ast.expr]) -> list[Slot]:
    found: list[Slot] = []
    for member in members:
        found += _slots(member.value) if isinstance(member, ast.Starred) else [Slot(member)]
    return found


def slice_text(before: int, after: int, step: int = 1) -> str:
    """What takes every `step`th member but the first and last ones; "" if that is all."""
    if before == 0 and after == 0 and step == 1:
        return ""
    parts = [str(before) if before else "", str(-after) if after else ""]
    return f"[{':'.join(parts)}]" if step == 1 else f"[{':'.join(parts)}:{step}]"
