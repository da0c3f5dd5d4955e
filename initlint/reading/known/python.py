"""Functions of Python and its standard library: for sequences, numbers, copies and processes."""

from __future__ import annotations

import ast
import re
from functools import reduce

from initlint.reading.abstract.copies import copied, shallow
from initlint.reading.abstract.holders import (
    Instance,
    Listing,
    Partial,
    Table,
    elements,
    listed,
    truth,
)
from initlint.reading.abstract.lists import chained, counted, numbered, ranged, zipped
from initlint.reading.abstract.parts import parts_of, reached, take_in
from initlint.reading.abstract.sizes import computed, square_root
from initlint.reading.abstract.values import (
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
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.evaluate.tensors import operate
from initlint.reading.models.life import twin
from initlint.reading.objects.apart import set_apart
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import is_callable
from initlint.reading.sources.resolve import Import

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
    *("builtins.list", "builtins.set", "builtins.sorted", "builtins.frozenset"),
    *("collections.deque", "weakref.WeakSet"),
)
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


@handles(
    *("builtins.dict", "collections.OrderedDict", "collections.defaultdict"),
    *("collections.UserDict", "weakref.WeakKeyDictionary", "weakref.WeakValueDictionary"),
)
def _dict(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    result = Table({}, "**" in kwargs)
    for value in args:
        if isinstance(value, Table):
            take_in(result, value)
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
        return reduce(lambda total, value: operate(reader, "add", [total, value]), values)
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


@handles("builtins.iter")
def _iter(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """An iterator: what `next` takes from it, a loop over it no longer meets."""
    value = args[0] if args else UNKNOWN
    if isinstance(value, Listing):
        return Listing(list(value.items), value.open, value.whole)
    return Listing(list(value)) if isinstance(value, tuple) else value


@handles("builtins.next")
def _next(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else UNKNOWN
    if isinstance(value, Listing) and value.items:
        return value.items.pop(0)
    found = elements(value)
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


@handles("importlib.import_module", "builtins.__import__")
def _import(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """The file of a name that is known; any other module may hold any class."""
    name = args[0] if args else UNKNOWN
    if not isinstance(name, str) or not name or name.startswith(".") or not reader.frames:
        return UNKNOWN
    return reader.program.imported(reader.frames[-1].module, Import(name, None, 0)) or UNKNOWN


_PROCESSES = ("multiprocessing.Process", "torch.multiprocessing.Process")


@handles("types.SimpleNamespace", "argparse.Namespace")
def _namespace(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Instance(None, "", attrs=dict(kwargs))


@handles("functools.partial", "functools.partialmethod")
def _partial(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Partial(args[0], tuple(args[1:]), dict(kwargs)) if args else UNKNOWN


@handles("weakref.ref")
def _reference(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return Partial(External("weakref.proxy"), tuple(args[:1]), {}) if args else UNKNOWN


@handles("copy.copy")
def _shallow(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else kwargs.get("x", UNKNOWN)
    reader.budget.elements(len(parts_of(value)))
    return shallow(value)


@handles("copy.deepcopy")
def _copy(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else kwargs.get("x", UNKNOWN)
    for part in reached([value]):
        reader.budget.nodes(isinstance(part, Instance))
        reader.budget.elements(1)
    source = reader.life.of.get(value) if reader.outside and isinstance(value, Instance) else None
    if source is not None and source.model is value:
        # A copy of what an optimiser has is a state of it: an opponent, or a starting point.
        made = twin(value, {}, is_copy=not source.trained)
        path = reader.frames[-1].module.path
        reader.life.born(made, None, node, path, copy_of=source)
        return made
    if reader.constructing is not None:
        reader.life.copied(value)
    return copied(value, reader.site(node), reader.constructing)


@handles("threading.Thread", *_PROCESSES)
def _worker(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    """A thread or a process runs its target; an object of which nothing more is known."""
    given = dict(zip(("group", "target", "name", "args"), args, strict=False)) | dict(kwargs)
    places = elements(given.get("args", ()))
    if "target" in given and places is not None:
        call(reader, given["target"], places, {}, node)
    return External("threading.Thread()")


@handles("typing.cast", "torch.jit.annotate")
def _cast(reader: Reader, args: Args, kwargs: Kwargs, node: ast.AST | None) -> Value:
    return args[1] if len(args) > 1 else UNKNOWN
