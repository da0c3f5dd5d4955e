"""Functions of Python that make sequences, go through them, or sum them up."""

from __future__ import annotations

import ast
from functools import reduce

from initlint.reading.abstract.compare import distinct
from initlint.reading.abstract.holders import Listing, Table, elements, listed, truth
from initlint.reading.abstract.lists import chained, counted, is_open, numbered, ranged, zipped
from initlint.reading.abstract.sizes import computed
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    Plain,
    Tensor,
    Unknown,
    Value,
    known_number,
)
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.evaluate.tensors import operate
from initlint.reading.objects.apart import set_apart
from initlint.reading.reader import Reader


@handles("builtins.range")
def _range(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return ranged(args)


@handles("builtins.tuple")
def _tuple(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = _list(reader, args, kwargs, node)
    is_closed = isinstance(found, Listing) and not found.open
    return tuple(found.items) if is_closed else found


@handles("builtins.list", "builtins.sorted", "collections.deque")
def _list(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if not args:
        return Listing([])
    found = elements(args[0])
    if found is None:
        return args[0] if isinstance(args[0], (Plain, Tensor)) else UNKNOWN
    if not isinstance(args[0], (Listing, Table)):
        return Listing(found)
    whole = args[0].whole if isinstance(args[0], Listing) else None
    return Listing(found, args[0].open, whole, args[0].perhaps)


@handles("builtins.set", "builtins.frozenset", "weakref.WeakSet")
def _set(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = _list(reader, args, kwargs, node)
    return distinct(found) if isinstance(found, Listing) else found


@handles("builtins.enumerate")
def _enumerate(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    for part in (elements(args[0]) or []) if args else []:
        set_apart(reader, args[0], part)
    return numbered(args[0] if args else UNKNOWN, start)


@handles("builtins.zip")
def _zip(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    for value in args:
        for part in elements(value) or []:
            set_apart(reader, value, part)
    return zipped(args)


@handles("builtins.reversed")
def _reversed(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[0]) if args else None
    open_ended = isinstance(args[0], Listing) and args[0].open if args else True
    return UNKNOWN if found is None else Listing(found[::-1], open_ended)


@handles("builtins.map")
def _map(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[1]) if len(args) == 2 else None
    if found is None:
        return UNKNOWN
    result = listed((call(reader, args[0], [v], {}, node) for v in found), is_open(args[1]))
    result.perhaps = isinstance(args[1], Listing) and args[1].perhaps
    return result


@handles("builtins.filter")
def _filter(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[1]) if len(args) == 2 else None
    if found is None:
        return UNKNOWN
    answers = [truth(v if args[0] is None else call(reader, args[0], [v], {}, node)) for v in found]
    kept = [v for v, answer in zip(found, answers, strict=True) if answer is not False]
    result = listed(kept, None in answers or is_open(args[1]))
    # Of a list that may have more elements, those that are known need not be there.
    result.perhaps = result.open and (is_open(args[1]) or True not in answers)
    return result


@handles("itertools.chain", "itertools.chain.from_iterable")
def _chain(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return chained(args)


@handles("itertools.repeat")
def _repeat(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return counted(args[0], args[1]) if len(args) > 1 else UNKNOWN


@handles("builtins.max", "builtins.min")
def _extreme(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    values = elements(args[0]) or [] if len(args) == 1 else list(args)
    smallest = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "min"
    if values and all(map(known_number, values)):
        return min(values) if smallest else max(values)
    return UNKNOWN if any(isinstance(value, Unknown) for value in values) else PLAIN


@handles("builtins.sum")
def _sum(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    values = elements(args[0]) if args else None
    if values is None:
        return UNKNOWN
    if any(isinstance(value, Tensor) for value in values):
        return reduce(lambda total, value: operate(reader, "add", [total, value]), values)
    if is_open(args[0]):
        return PLAIN
    total: Value = 0
    for value in values:
        total = computed(ast.Add, total, value)
    return total
