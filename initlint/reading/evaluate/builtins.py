"""Calls of functions known by name: built-ins, the standard library, helpers of torch."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import math
import numbers
from collections.abc import Callable
from typing import Any

from initlint.reading.abstract.holders import Bound, Function, Instance, Listing, Partial
from initlint.reading.abstract.parts import contents_of, leaves, unsure
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Named,
    Slot,
    Sym,
    Tensor,
    Unknown,
    Value,
    bounded,
    known_number,
)
from initlint.reading.evaluate.handlers import Args, Handler, Kwargs
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills.initial import lost
from initlint.reading.objects.classes import is_instance, torch_base
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import is_callable
from initlint.torchlib import catalog

# Functions that hand their first argument back.
IDENTITY = {
    *("torch.jit.script", "torch.compile", "torch.jit.export", "torch.jit.ignore"),
    *("torch.fx.wrap", "torch.jit._script_if_tracing", "torch.quantization.fuse_modules"),
    *("torch.jit.script_if_tracing", "torch.compiler.disable", "torch.jit.unused"),
    *("torch.nn.SyncBatchNorm.convert_sync_batchnorm", "apex.parallel.convert_syncbn_model"),
    *("apex.parallel.DistributedDataParallel", "weakref.proxy", "types.MappingProxyType"),
}
NUMBERS: dict[str, Callable[..., Any]] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.round": round,
    "builtins.abs": abs,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.log": math.log,
    "math.log2": math.log2,
    "math.exp": math.exp,
    "math.erf": math.erf,
    "math.pow": math.pow,
    "math.prod": math.prod,
    "numpy.ceil": math.ceil,
    "numpy.floor": math.floor,
    "numpy.log": math.log,
    "numpy.log2": math.log2,
    "numpy.exp": math.exp,
    "numpy.prod": math.prod,
    "numpy.abs": abs,
    **dict.fromkeys(("numpy.float32", "numpy.float64"), float),
}
# Conditions that are true for a model that runs normally.
ANSWERS = {
    **dict.fromkeys(("torch.jit.is_scripting", "torch.jit.is_tracing"), False),
    **dict.fromkeys(("torch.onnx.is_in_onnx_export", "torch.compiler.is_compiling"), False),
    **dict.fromkeys(("builtins.print", "warnings.warn", "torch._assert"), None),
}


def handled(
    reader: Reader, handler: Handler, args: Args, kwargs: Kwargs, node: ast.AST | None
) -> Value:
    """The result of a function that is known by its name."""
    _visit(reader, args)
    result = handler(reader, args, kwargs, node)
    return unsure((*args, *kwargs.values())) if result is UNKNOWN else result


def numeric(reader: Reader, name: str, args: Args) -> Value:
    """The result of a function of numbers."""
    _visit(reader, args)
    return _number(name, args)


def _visit(reader: Reader, args: Args) -> None:
    """Charge the elements that a function may visit."""
    count = 0
    for value in args:
        if type(value) not in _SINGLE:
            count += _length(value)
    if count > 3:
        reader.budget.elements(count // 4)


def pure(reader: Reader, name: str, args: Args, kwargs: Kwargs) -> Value:
    """The result of a built-in function that does not change its arguments."""
    if isinstance(getattr(builtins, name, None), type) and name.endswith(("Error", "Warning")):
        return UNKNOWN
    if name in ("exec", "eval") and reader.frames:
        # The text may change everything that the calling function can reach.
        return lost(reader, list(reader.frames[-1].names.values()), {})
    if any(isinstance(value, Unknown) for value in args):
        return unsure(args)
    if reader.nodes_in(args):
        return operate(reader, name, args, kwargs)
    return PLAIN


def belongs(reader: Reader, value: Value, wanted: Value) -> bool | None:
    """Whether a value is an instance of a class; None if that is not known."""
    if isinstance(wanted, (tuple, Listing)):
        kinds = [*leaves(wanted, (tuple, Listing))]
        reader.budget.elements(len(kinds))
        answers = [belongs(reader, value, kind) for kind in kinds]
        return True if True in answers else (None if None in answers else False)
    if isinstance(value, Instance):
        return is_instance(reader, value, wanted)
    if isinstance(value, (Slot, Held)):
        return _is_parameter(value, wanted)
    if not isinstance(wanted, (External, UserClass)):
        return None
    if isinstance(value, _NO_MODULES) and _is_module_class(reader, wanted):
        return False
    name = wanted.name if isinstance(wanted, External) else ""
    if isinstance(value, (Tensor, Fresh, Kept)):
        return name == "torch.Tensor" if name.startswith(("torch", "builtins")) else None
    return _is_plain(value, name)


def _is_module_class(reader: Reader, wanted: External | UserClass) -> bool:
    """Whether a class is one of modules."""
    if isinstance(wanted, UserClass):
        return bool(torch_base(reader, wanted))
    return wanted.name.startswith("torch.nn.") and wanted.name.rpartition(".")[2][:1].isupper()


def is_operation(name: str) -> bool:
    """Whether the catalogue knows a function of this name."""
    known = catalog.operation_of_function(name) or catalog.activation_of_function(name)
    return known is not None


# Values of Python's own, which are no modules.
_NO_MODULES = (tuple, Listing, str, int, float, type(None))


def _is_parameter(value: Slot | Held, wanted: Value) -> bool | None:
    """Whether a parameter, or a tensor derived from one, is an instance of a class."""
    if isinstance(wanted, UserClass):
        return False if wanted.torch else None
    if not isinstance(wanted, External):
        return None
    last = wanted.name.rpartition(".")[2]
    if last == "Tensor":
        return True
    if last == "Parameter":
        return isinstance(value, Slot)
    return False if wanted.name.startswith("torch.nn.") and last[:1].isupper() else None


# Where Python has the classes of numbers and texts.
_OF_PLAIN = {"builtins": builtins, "numbers": numbers, "collections.abc": collections.abc}
_ITERABLES = ("Iterable", "Sequence", "Collection", "Sized")


def _is_plain(value: Value, name: str) -> bool | None:
    """Whether a built-in value is an instance of the built-in class of this name."""
    package, _, last = name.rpartition(".")
    if name == "functools.partial" or isinstance(value, Partial):
        return _is_partial(value, name)
    if isinstance(value, (Listing, tuple)):
        if package == "builtins" and last in ("list", "tuple"):
            return (last == "tuple") == isinstance(value, tuple) or None
        return (
            True if last in _ITERABLES else (False if package in ("builtins", "numbers") else None)
        )
    if value is None or name == "builtins.NoneType":
        return value is None and name == "builtins.NoneType"
    if isinstance(value, (bool, int, float, str)):
        if package in _OF_PLAIN:
            kind = getattr(_OF_PLAIN[package], last, None)
            return isinstance(value, kind) if isinstance(kind, type) else None
        return isinstance(value, str) if last in _ITERABLES else False
    if isinstance(value, External) and not is_callable(value.name):
        return None
    if isinstance(value, _CALLED) and last == "Callable":
        return True
    if isinstance(value, (UserClass, External, Function)) and package == "builtins":
        is_class = last == "type" and not isinstance(value, Function)
        return is_class if last in ("type", "str", "int") else None
    return None


# What is callable for sure: functions and classes of the files.
_CALLED = (Function, Bound, UserClass)


def _is_partial(value: Value, name: str) -> bool | None:
    """Whether a value is a partial function, or a partial function of the class called `name`."""
    if isinstance(value, Partial):
        return True if name == "functools.partial" else None
    is_class = isinstance(value, UserClass) or _is_torch_module(value)
    return False if is_class or isinstance(value, (Function, str, int, float)) else None


def _is_torch_module(value: Value) -> bool:
    return isinstance(value, External) and value.name.startswith("torch.nn.")


def _number(name: str, args: Args) -> Value:
    first = args[0] if args else 0
    if isinstance(first, (Named, Sym)) and name.endswith(("int", "float", "round", "abs")):
        return first
    if isinstance(first, (Listing, tuple)):
        first = tuple(first if isinstance(first, tuple) else first.items)
    given = first if isinstance(first, tuple) else tuple(args)
    is_text = isinstance(first, str) and name in ("builtins.int", "builtins.float")
    if not is_text and not all(map(known_number, given)):
        return UNKNOWN if isinstance(first, Unknown) else PLAIN
    # round(5, -n) works with the n-th power of ten.
    if name == "builtins.round" and len(args) > 1 and abs(args[1]) > _DIGITS:
        return UNKNOWN
    try:
        return bounded(NUMBERS[name](*((first,) if isinstance(first, tuple) else args)))
    except (ValueError, TypeError, OverflowError):
        return PLAIN


_DIGITS = 400
# Kinds of values without elements.
_SINGLE = {int, float, bool, type(None), Tensor, External, Unknown, UserClass}


def _length(value: Value) -> int:
    """How many elements a function may visit; characters of a text count for less."""
    if isinstance(value, (str, bytes)):
        return len(value) // 64
    return len(value.attrs) if isinstance(value, Instance) else len(contents_of(value))
