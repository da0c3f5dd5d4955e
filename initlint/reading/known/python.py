"""Functions of Python and its standard library: numbers, texts, copies, imports and processes."""

from __future__ import annotations

import ast
import re

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
from initlint.reading.abstract.parts import parts_of, reached, take_in
from initlint.reading.abstract.sizes import square_root
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Value,
    bounded,
)
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.handlers import Args, Kwargs, handles
from initlint.reading.models.life import twin
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
