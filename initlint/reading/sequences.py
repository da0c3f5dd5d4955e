"""What Python's functions of lists, numbers and texts give."""

from __future__ import annotations

import ast
import re

from initlint.reading.calling import call
from initlint.reading.handlers import Args, Kwargs, handles
from initlint.reading.holders import Listing, Table, elements, listed, truth, update
from initlint.reading.lists import chained, counted, numbered, ranged, zipped
from initlint.reading.outside import is_callable
from initlint.reading.reader import Reader
from initlint.reading.sizes import computed, square_root
from initlint.reading.tensors import operate
from initlint.reading.values import (
    PLAIN,
    UNKNOWN,
    External,
    Plain,
    Tensor,
    Unknown,
    Value,
    bounded,
    known_number,
)

_LONGEST_TEXT = 200
# In timm's names of blocks (ir_r4_k3) the digit and what comes after it; numbers in names.
_PATTERNS = (r"(\d.*)", r"(\d+)")


@handles("builtins.len")
def _len(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else UNKNOWN
    if isinstance(value, (Listing, Table)) and value.open:
        return PLAIN
    found = elements(value)
    return PLAIN if found is None else len(found)


@handles("builtins.range")
def _range(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return ranged(args)


@handles("builtins.tuple")
def _tuple(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = _list(reader, args, kwargs, node)
    is_closed = isinstance(found, Listing) and not found.open
    return tuple(found.items) if is_closed else found


@handles(
    "builtins.list", "builtins.set", "builtins.sorted", "builtins.frozenset", "collections.deque"
)
def _list(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    if not args:
        return Listing([])
    found = elements(args[0])
    if found is None:
        return args[0] if isinstance(args[0], (Plain, Tensor)) else UNKNOWN
    whole = args[0].whole if isinstance(args[0], Listing) else None
    return Listing(found, isinstance(args[0], (Listing, Table)) and args[0].open, whole)


@handles("builtins.dict", "collections.OrderedDict", "collections.defaultdict")
def _dict(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    result = Table({}, "**" in kwargs)
    for value in args:
        if isinstance(value, Table):
            update(result, value)
        elif isinstance(value, (Listing, tuple)):
            items = value if isinstance(value, tuple) else value.items
            pairs = [item for item in items if isinstance(item, tuple) and len(item) == 2]
            result.items.update({key: item for key, item in pairs if isinstance(key, (str, int))})
        elif not (isinstance(value, External) and is_callable(value.name)):
            # The factory of a defaultdict says nothing about its keys.
            result.open = True
    result.items.update({key: value for key, value in kwargs.items() if key not in ("*", "**")})
    return result


@handles("builtins.enumerate")
def _enumerate(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    return numbered(args[0] if args else UNKNOWN, start)


@handles("builtins.zip")
def _zip(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
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
    return listed(call(reader, args[0], [value], {}, node) for value in found)


@handles("builtins.filter")
def _filter(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[1]) if len(args) == 2 else None
    if found is None:
        return UNKNOWN
    answers = [truth(v if args[0] is None else call(reader, args[0], [v], {}, node)) for v in found]
    kept = [v for v, answer in zip(found, answers, strict=True) if answer is not False]
    return listed(kept, None in answers)


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
        return operate(reader, "add", values)
    total: Value = 0
    for value in values:
        total = computed(ast.Add, total, value)
    return total


@handles("math.sqrt", "numpy.sqrt", "numpy.math.sqrt")
def _sqrt(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return square_root(args[0]) if args else UNKNOWN


@handles("builtins.bool")
def _bool(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = truth(args[0]) if args else False
    return PLAIN if found is None else found


@handles("builtins.any", "builtins.all")
def _any(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[0]) if args else None
    if found is None or not isinstance(node, ast.Call):
        return PLAIN
    wanted = getattr(node.func, "id", "") == "any"
    answers = [truth(value) for value in found]
    if wanted in answers:
        return wanted
    is_open = isinstance(args[0], Listing) and args[0].open
    return PLAIN if None in answers or is_open else not wanted


@handles("builtins.str")
def _str(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    is_known = args and isinstance(args[0], (int, str)) and bounded(args[0]) is not UNKNOWN
    return str(args[0]) if is_known else PLAIN


@handles("builtins.next")
def _next(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[0]) if args else None
    return found[0] if found else UNKNOWN


@handles("re.split")
def _split(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """The parts of a text, by one of the patterns that block names are taken apart with.

    No other pattern of the code that is read is run: it may take for ever.
    """
    if kwargs or len(args) != 2 or not all(isinstance(value, str) for value in args):
        return PLAIN
    if args[0] not in _PATTERNS or len(args[1]) > _LONGEST_TEXT:
        return PLAIN
    return listed(re.split(*args))
