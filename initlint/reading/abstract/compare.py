"""Comparisons of partly known values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from initlint.reading.abstract.holders import Choice, Listing, Method, Table
from initlint.reading.abstract.parts import is_small, key_of, options_of
from initlint.reading.abstract.values import (
    BARE,
    External,
    Named,
    Plain,
    Sym,
    Unknown,
    Value,
    known_number,
)
from initlint.reading.sources.outside import is_callable

_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OPEN = (Unknown, Plain, Named, Sym)
_IDENTITY = (ast.Is, ast.IsNot)
# Kinds of values that may be None.
_OPTIONAL = {Unknown, Plain, Named, Choice}


def compared(kind: type[ast.cmpop], left: Value, right: Value) -> bool | None:
    """Whether a comparison holds; None where that is not known."""
    if right is None and kind in _IDENTITY and not _may_be_none(left):
        return (left is None) is (kind is ast.Is)
    if isinstance(left, Choice) or isinstance(right, Choice):
        answers = {compared(kind, a, b) for a in options_of(left) for b in options_of(right)}
        return answers.pop() if len(answers) == 1 else None
    if kind in (ast.IsNot, ast.NotEq, ast.NotIn):
        opposite = {ast.IsNot: ast.Is, ast.NotEq: ast.Eq, ast.NotIn: ast.In}[kind]
        answer = compared(opposite, left, right)
        return None if answer is None else not answer
    if kind is ast.In:
        return _contained(left, right)
    if kind in (ast.Is, ast.Eq):
        return _same(left, right)
    if known_number(left) and known_number(right):
        return _ORDER[kind](left, right)
    return None


def _may_be_none(value: Value) -> bool:
    return type(value) in _OPTIONAL or _is_constant(value)


def _is_constant(value: Value) -> bool:
    """Whether a value may be a constant that a file holds which is not read."""
    return isinstance(value, External) and not is_callable(value.name)


def _is_unknown(value: Value) -> bool:
    """Whether a value may be anything: a constant that is not read, an attribute of what is not."""
    is_attribute = isinstance(value, Method) and isinstance(value.receiver, (Plain, Unknown))
    return is_attribute or _is_constant(value)


def _same(left: Value, right: Value) -> bool | None:
    if type(left) in BARE and type(right) in BARE:
        return left is right or bool(left == right)
    if isinstance(left, (Unknown, Plain)) or isinstance(right, (Unknown, Plain)):
        return None
    if key_of(left) == key_of(right):
        return True
    if _is_unknown(left) or _is_unknown(right):
        return None
    if isinstance(left, _OPEN) or isinstance(right, _OPEN):
        # A size is never None; any other symbolic value may be.
        return False if {type(left), type(right)} == {Sym, type(None)} else None
    if known_number(left) and known_number(right):
        return bool(left == right)
    if isinstance(left, (Listing, Table)) or isinstance(right, (Listing, Table)):
        return False if left is None or right is None else None
    if isinstance(left, tuple) and isinstance(right, tuple):
        is_known = is_small(left) and is_small(right)
        return _same_tuples(left, right) if is_known else None
    if isinstance(left, External) and isinstance(right, External):
        return left.name.rpartition(".")[2] == right.name.rpartition(".")[2]
    return False


def _same_tuples(left: tuple[Value, ...], right: tuple[Value, ...]) -> bool | None:
    if len(left) != len(right):
        return False
    answers = [_same(a, b) for a, b in zip(left, right, strict=True)]
    if False in answers:
        return False
    return None if None in answers else True


def _contained(item: Value, group: Value) -> bool | None:
    if isinstance(item, str) and isinstance(group, str):
        return item in group
    if isinstance(group, Table):
        found: list[Value] = list(group.items)
        open_ended = group.open
    elif isinstance(group, (Listing, tuple)):
        found = list(group) if isinstance(group, tuple) else group.items
        open_ended = isinstance(group, Listing) and group.open
    else:
        return None
    answers = [_same(item, one) for one in found]
    if True in answers:
        return True
    return None if None in answers or open_ended else False


def distinct(found: Listing) -> Listing:
    """The elements of a set: each once. Of two that may be equal, nobody knows how many it has."""
    items = list({key_of(item): item for item in found.items}.values())
    is_unsure = len(items) > 1 and any(compared(ast.Eq, item, items[0]) is None for item in items)
    return Listing(items, found.open or is_unsure, found.whole, found.perhaps)
