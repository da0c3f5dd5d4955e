"""What Python and its standard library do with abstract values, and torch's helpers around them."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from initlint import catalog
from initlint.source.classes import Classes, UserClass
from initlint.source.copies import copied
from initlint.source.lists import chained, counted, numbered, ranged, zipped
from initlint.source.modules import elements
from initlint.source.sizes import computed, square_root
from initlint.source.state import flat_tensors
from initlint.source.values import (
    PLAIN,
    UNKNOWN,
    Bound,
    Choice,
    External,
    Function,
    Instance,
    Listing,
    Named,
    Partial,
    Plain,
    Sym,
    Table,
    Tensor,
    Unknown,
    Value,
    choice,
    known_number,
    options_of,
)

_Args = Sequence[Value]
_Kwargs = Mapping[str, Value]
_Handler = Callable[["Builtins", _Args, _Kwargs, "ast.AST | None"], Value]
_HANDLERS: dict[str, _Handler] = {}
_LONGEST_TEXT = 200
# Functions that hand their first argument back.
_IDENTITY = {
    *("torch.jit.script", "torch.compile", "torch.jit.export", "torch.jit.ignore", "builtins.iter"),
    *("torch.fx.wrap", "torch.jit._script_if_tracing", "torch.quantization.fuse_modules"),
    *("torch.jit.script_if_tracing", "torch.compiler.disable", "torch.jit.unused"),
}
_NUMBERS: dict[str, Callable[..., Any]] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.round": round,
    "builtins.abs": abs,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.log": math.log,
    "math.log2": math.log2,
    "math.exp": math.exp,
    "math.prod": math.prod,
}
# What is true of a model that runs as written.
_ANSWERS = {
    **dict.fromkeys(("torch.jit.is_scripting", "torch.jit.is_tracing"), False),
    **dict.fromkeys(("torch.onnx.is_in_onnx_export", "torch.compiler.is_compiling"), False),
    **dict.fromkeys(("builtins.print", "warnings.warn", "torch._assert"), None),
}


def handles(*names: str) -> Callable[[_Handler], _Handler]:
    """Register a function as what calls of these names do."""

    def register(function: _Handler) -> _Handler:
        _HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


class Builtins(Classes):
    """Reads calls of what is known by name."""

    def builtin(self, name: str, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
        """The result of a function of Python's, or NotImplemented where it is none of these."""
        handler = _HANDLERS.get(name)
        if handler is not None:
            return handler(self, args, kwargs, node)
        if name in _ANSWERS:
            return _ANSWERS[name]
        if name in _IDENTITY:
            return args[0] if args else UNKNOWN
        if name in _NUMBERS:
            return _number(name, args)
        if name.startswith("builtins."):
            return self._plain(name[9:], args, kwargs)
        return NotImplemented

    def _plain(self, name: str, args: _Args, kwargs: _Kwargs) -> Value:
        """A function of Python's that only looks at what it is given."""
        if isinstance(getattr(builtins, name, None), type) and name.endswith(("Error", "Warning")):
            return UNKNOWN
        if any(isinstance(value, Unknown) for value in args):
            return UNKNOWN
        if flat_tensors(tuple(args)):
            return self.operate(name, args, kwargs)
        return PLAIN

    def belongs(self, value: Value, wanted: Value) -> bool | None:
        """Whether a value is of a class; None where that is not known."""
        if isinstance(wanted, (tuple, Listing)):
            kinds = wanted if isinstance(wanted, tuple) else wanted.items
            answers = [self.belongs(value, kind) for kind in kinds]
            return True if True in answers else (None if None in answers else False)
        if isinstance(value, Instance):
            return self.is_instance(value, wanted)
        name = wanted.name if isinstance(wanted, External) else ""
        if isinstance(value, Tensor):
            return name == "torch.Tensor" if name.startswith(("torch", "builtins")) else None
        return _is_plain(value, name)

    def is_operation(self, name: str) -> bool:
        """Whether the catalogue knows a function of this name."""
        known = catalog.operation_of_function(name) or catalog.activation_of_function(name)
        return known is not None


_ITERABLES = ("Iterable", "Sequence", "Collection", "Sized")


def _is_plain(value: Value, name: str) -> bool | None:
    """Whether a value of Python's own is of a class that is called so."""
    package, _, last = name.rpartition(".")
    if isinstance(value, (Listing, tuple)):
        if package == "builtins" and last in ("list", "tuple"):
            return (last == "tuple") == isinstance(value, tuple) or None
        return True if last in _ITERABLES else (False if package == "builtins" else None)
    if value is None or isinstance(value, (bool, int, float, str)):
        if package == "builtins":
            kind = getattr(builtins, last, None)
            return isinstance(value, kind) if isinstance(kind, type) else None
        return isinstance(value, str) if last in _ITERABLES else False
    if isinstance(value, (UserClass, External, Function)) and package == "builtins":
        return last == "type" if last in ("type", "str", "int") else None
    return None


def _number(name: str, args: _Args) -> Value:
    first = args[0] if args else 0
    if isinstance(first, (Named, Sym)) and name.endswith(("int", "float", "round", "abs")):
        return first
    if isinstance(first, (Listing, tuple)):
        first = tuple(first if isinstance(first, tuple) else first.items)
    numbers = first if isinstance(first, tuple) else tuple(args)
    is_text = isinstance(first, str) and name in ("builtins.int", "builtins.float")
    if not is_text and not all(map(known_number, numbers)):
        return UNKNOWN if isinstance(first, Unknown) else PLAIN
    try:
        return _NUMBERS[name](*((first,) if isinstance(first, tuple) else args))
    except (ValueError, TypeError, OverflowError):
        return PLAIN


@handles("builtins.len")
def _len(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else UNKNOWN
    if isinstance(value, (Listing, Table)) and value.open:
        return PLAIN
    found = elements(value)
    return PLAIN if found is None else len(found)


@handles("builtins.range")
def _range(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return ranged(args)


@handles("builtins.tuple")
def _tuple(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    found = _list(reader, args, kwargs, node)
    is_closed = isinstance(found, Listing) and not found.open
    return tuple(found.items) if is_closed else found


@handles("builtins.list", "builtins.set", "builtins.sorted", "collections.deque")
def _list(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if not args:
        return Listing([])
    found = elements(args[0])
    if found is None:
        return args[0] if isinstance(args[0], (Plain, Tensor)) else UNKNOWN
    return Listing(found, isinstance(args[0], (Listing, Table)) and args[0].open)


@handles("builtins.dict", "collections.OrderedDict", "collections.defaultdict")
def _dict(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    result = Table({}, "**" in kwargs)
    for value in args:
        if isinstance(value, Table):
            result.items.update(value.items)
            result.open = result.open or value.open
        elif isinstance(value, (Listing, tuple)):
            items = value if isinstance(value, tuple) else value.items
            pairs = [item for item in items if isinstance(item, tuple) and len(item) == 2]
            result.items.update({key: item for key, item in pairs if isinstance(key, (str, int))})
        elif not isinstance(value, External):
            result.open = True
    result.items.update({key: value for key, value in kwargs.items() if key not in ("*", "**")})
    return result


@handles("builtins.enumerate")
def _enumerate(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    return numbered(args[0] if args else UNKNOWN, start)


@handles("builtins.zip")
def _zip(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return zipped(args)


@handles("builtins.reversed")
def _reversed(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[0]) if args else None
    open_ended = isinstance(args[0], Listing) and args[0].open if args else True
    return UNKNOWN if found is None else Listing(found[::-1], open_ended)


@handles("builtins.map")
def _map(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[1]) if len(args) == 2 else None
    if found is None:
        return UNKNOWN
    return Listing([reader.call(args[0], [value], {}, node) for value in found])


@handles("itertools.chain", "itertools.chain.from_iterable")
def _chain(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return chained(args)


@handles("itertools.repeat")
def _repeat(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return counted(args[0], args[1]) if len(args) > 1 else UNKNOWN


@handles("builtins.max", "builtins.min")
def _extreme(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    values = elements(args[0]) or [] if len(args) == 1 else list(args)
    smallest = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "min"
    if values and all(map(known_number, values)):
        return min(values) if smallest else max(values)
    return UNKNOWN if any(isinstance(value, Unknown) for value in values) else PLAIN


@handles("builtins.sum")
def _sum(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    values = elements(args[0]) if args else None
    if values is None:
        return UNKNOWN
    if any(isinstance(value, Tensor) for value in values):
        return reader.operate("add", values)
    total: Value = 0
    for value in values:
        total = computed(ast.Add, total, value)
    return total


@handles("math.sqrt")
def _sqrt(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return square_root(args[0]) if args else UNKNOWN


@handles("builtins.bool")
def _bool(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    found = truth(args[0]) if args else False
    return PLAIN if found is None else found


@handles("builtins.any", "builtins.all")
def _any(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
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
def _str(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return str(args[0]) if args and isinstance(args[0], (int, str)) else PLAIN


@handles("builtins.isinstance", "builtins.issubclass")
def _isinstance(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2:
        return PLAIN
    answers = {reader.belongs(option, args[1]) for option in options_of(args[0])}
    answer = answers.pop()
    return PLAIN if answers or answer is None else answer


@handles("builtins.hasattr")
def _hasattr(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2 or not isinstance(args[0], Instance) or not isinstance(args[1], str):
        return PLAIN
    owner, name = args[0], args[1]
    if name in owner.attrs or (owner.cls is not None and reader.member(owner.cls, name)):
        return owner.attrs.get(name) is not None or name in owner.attrs
    if name in ("weight", "bias") and owner.torch and owner.cls is None:
        return False
    return PLAIN


@handles("builtins.getattr")
def _getattr(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        return _any_part(args[0] if args else UNKNOWN)
    if len(args) > 2 and isinstance(args[0], Instance) and args[1] not in args[0].attrs:
        found = _hasattr(reader, args, kwargs, node)
        return reader.attribute(args[0], args[1]) if found is True else UNKNOWN
    return reader.attribute(args[0], args[1])


def _any_part(value: Value) -> Value:
    """Whichever part of a module a name that is not known may mean."""
    parts = (
        [v for v in value.attrs.values() if isinstance(v, Instance)]
        if isinstance(value, Instance)
        else []
    )
    return choice(parts) if parts else UNKNOWN


@handles("builtins.setattr")
def _setattr(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if len(args) == 3 and isinstance(args[0], Instance) and isinstance(args[1], str):
        reader.hold(args[0], args[1], args[2])
    elif len(args) == 3 and isinstance(args[0], Instance):
        # A part under a name that is not known is a part all the same.
        reader.hold(args[0], f"{{{len(args[0].attrs)}}}", args[2])
    return None


@handles("builtins.type")
def _type(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if len(args) == 1 else UNKNOWN
    if isinstance(value, Instance) and value.cls is not None:
        return value.cls
    if isinstance(value, Instance) and value.torch:
        return External(f"torch.nn.{value.torch}")
    return UNKNOWN


@handles("builtins.callable")
def _callable(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    kinds = (Function, UserClass, External, Partial, Bound, Instance)
    if args and isinstance(args[0], kinds):
        return True
    return False if args and isinstance(args[0], (str, int, type(None))) else PLAIN


@handles("builtins.next")
def _next(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    found = elements(args[0]) if args else None
    return found[0] if found else UNKNOWN


@handles("functools.partial", "functools.partialmethod")
def _partial(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return Partial(args[0], tuple(args[1:]), dict(kwargs)) if args else UNKNOWN


@handles("copy.deepcopy", "copy.copy")
def _copy(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    value = args[0] if args else UNKNOWN
    return copied(value, reader.site(node), reader.constructing)


@handles("re.split")
def _split(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    """The parts of a text, where pattern and text are known and finding them takes no time."""
    if kwargs or len(args) != 2 or not all(isinstance(value, str) for value in args):
        return PLAIN
    # One repetition is tried once from every place; repetitions of repetitions may take for ever.
    if sum(map(args[0].count, "*+{")) > 1 or len(args[1]) > _LONGEST_TEXT:
        return PLAIN
    try:
        return Listing(list(re.split(*args)))
    except (re.error, RecursionError):
        return PLAIN


@handles("typing.cast", "torch.jit.annotate")
def _cast(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return args[1] if len(args) > 1 else UNKNOWN


@handles("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def _parameter(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    return reader.parameter(args[0] if args else kwargs.get("data", UNKNOWN), node)


@handles("torch.utils.checkpoint.checkpoint")
def _checkpoint(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    options = ("use_reentrant", "preserve_rng_state", "context_fn", "determinism_check", "debug")
    given = {name: value for name, value in kwargs.items() if name not in options}
    return reader.call(args[0], args[1:], given, node) if args else UNKNOWN


@handles("torch.utils.checkpoint.checkpoint_sequential")
def _sequentially(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    value = args[2] if len(args) > 2 else UNKNOWN
    for part in (elements(args[0]) if args else None) or [UNKNOWN]:
        value = reader.call(part, [value], {}, node)
    return value


@handles("torch.nn.utils.parametrize.register_parametrization")
def _parametrised(reader: Builtins, args: _Args, kwargs: _Kwargs, node: ast.AST | None) -> Value:
    if args and isinstance(args[0], Instance):
        args[0].reparametrised = True
    return args[0] if args else UNKNOWN


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None where that is not known."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)):
        return bool(value)
    if isinstance(value, (Listing, Table)):
        return True if value.items else (None if value.open else False)
    if isinstance(value, Instance):
        return bool(value.attrs) if value.torch in ("ModuleList", "Sequential") else True
    if isinstance(value, (UserClass, Function, External, Bound, Partial)):
        return True
    if isinstance(value, Choice):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    return None
