"""Attributes of values: of objects, modules, classes, tensors and files."""

from __future__ import annotations

import ast
from dataclasses import replace

from initlint.reading.abstract.holders import (
    CONTAINERS,
    Bound,
    Choice,
    Function,
    Instance,
    Listing,
    Method,
    Optimiser,
    Partial,
    Super,
    Table,
)
from initlint.reading.abstract.parts import choice, unsure
from initlint.reading.abstract.user_class import UserClass
from initlint.reading.abstract.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Named,
    Plain,
    Sampled,
    Slot,
    Tensor,
    Unknown,
    Value,
    external,
    named,
)
from initlint.reading.budget import LONGEST_NAME
from initlint.reading.evaluate.calling import call
from initlint.reading.evaluate.names import is_dispatched, member_of
from initlint.reading.evaluate.tensors import operate
from initlint.reading.fills.effects import Missing, lacks
from initlint.reading.objects.apart import set_apart
from initlint.reading.objects.classes import (
    constant_of,
    enumerated,
    function_in,
    is_enum,
    lookup,
    method_of,
    order_of,
    surely_lacks,
)
from initlint.reading.objects.torch_modules import attribute_of, reset_of, type_of
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import TRAINING
from initlint.reading.sources.resolve import Module
from initlint.torchlib import catalog
from initlint.torchlib.members import OF_EVERY, OF_SOME

_METHODS_OF = (Listing, Table, str, tuple)
_ALIKE = ("data", "grad", "T", "mT", "H", "mH", "real")
_SPECIAL = (
    *("__setattr__", "__getattr__", "__getattribute__", "__call__"),
    # The branches of torch's transformer layers.
    *("_sa_block", "_mha_block", "_ff_block"),
)
_PROPERTIES = ("property", "cached_property", "lazy_property")


def attribute(reader: Reader, value: Value, name: str) -> Value:
    """The value of an attribute."""
    kind = type(value)
    if kind is Instance:
        return _of_instance(reader, value, name)
    if kind is External:
        if name == "__name__":
            return value.name.rpartition(".")[2]
        return external(f"{value.name}.{name}") if len(value.name) < LONGEST_NAME else UNKNOWN
    if kind is Tensor:
        return _of_tensor(reader, value, name)
    if kind is Module:
        return member_of(reader, value, name)
    if kind in (Slot, Held):
        return _of_parameter(reader, value, name)
    if kind is Fresh:
        return _of_fresh(reader, value, name)
    if kind is Super:
        return _of_super(reader, value, name)
    if kind is UserClass:
        return _of_class(reader, value, name)
    if kind is Choice:
        found = [attribute(reader, one, name) for one in value.options if one is not None]
        return choice(found, len(found))
    if kind is Partial:
        parts = {"func": value.function, "args": value.args, "keywords": Table(value.kwargs)}
        return parts.get(name, UNKNOWN)
    if isinstance(value, _METHODS_OF):
        return Method(value, name)
    return _of_others(reader, value, name)


def _of_others(reader: Reader, value: Value, name: str) -> Value:
    if isinstance(value, Kept) and name == "data":
        return value
    if isinstance(value, Plain):
        return Method(value, name)
    if isinstance(value, Optimiser):
        return unsure(value.given) if name in ("param_groups", "state") else Method(value, name)
    if isinstance(value, Named):
        # An attribute of an argument's unknown value is such a value, too.
        return named(value, f".{name}")
    if isinstance(value, Function) and name == "__name__":
        return getattr(value.node, "name", UNKNOWN)
    if value is None and name in ("data", "weight", "bias"):
        return Missing("None", name)
    if type(value) is Sampled:
        is_whole = name == "apply" and not value.part
        return Method(value, name) if is_whole else Sampled(value.options, value.names, part=True)
    # An attribute of a value that may hold weights may hold them, too.
    return value if isinstance(value, Unknown) else UNKNOWN


def _of_tensor(reader: Reader, value: Tensor, name: str) -> Value:
    if name == "T" or name in ("mT", "H", "mH"):
        return operate(reader, name, [value])
    if name in ("data", "values", "last_hidden_state", "real", "tensors"):
        return value
    operation = catalog.operation_of_function(name)
    if operation is not None and operation.role == "query" and name in _FACTS:
        return PLAIN
    return Method(value, name)


def _of_parameter(reader: Reader, value: Slot | Held, name: str) -> Value:
    slot = value if isinstance(value, Slot) else value.slot
    if name == "shape":
        return value.shape if value.shape is not None else PLAIN
    if name == "data":
        return value if isinstance(value, Held) else Held(slot, slot.shape)
    if name == "ndim" and value.shape is not None:
        return len(value.shape)
    if name == "requires_grad" and slot.trainable is not None:
        return slot.trainable
    if name in _ALIKE:
        return operate(reader, name, [value])
    if name in ("weight", "bias"):
        return Missing("a tensor", name)
    return PLAIN if name in _FACTS else Method(value, name)


def _of_fresh(reader: Reader, value: Fresh, name: str) -> Value:
    if name == "shape":
        return value.shape if value.shape is not None else PLAIN
    if name == "data":
        return value
    if name in _ALIKE:
        return operate(reader, name, [value])
    return PLAIN if name in _FACTS else Method(value, name)


def _of_super(reader: Reader, value: Super, name: str) -> Value:
    receiver, owner = value.receiver, value.owner
    if isinstance(receiver, UserClass):
        found = lookup(reader, receiver, name, after=owner)
        return UNKNOWN if found is None else method_of(reader, *found)
    if not isinstance(receiver, Instance) or receiver.cls is None:
        return UNKNOWN
    found = lookup(reader, receiver.cls, name, after=owner)
    if found is not None:
        return _member_value(reader, receiver, *found)
    if name == "__init__":
        # That of torch's base, or one that was generated from fields.
        return Method(receiver if receiver.torch else value, "__init__")
    if name in ("forward", "__call__"):
        return Method(receiver, "super.forward")
    if name == reset_of(receiver.torch):
        return Method(receiver, "super.reset")
    return Method(receiver, name) if receiver.torch else UNKNOWN


def _of_class(reader: Reader, cls: UserClass, name: str) -> Value:
    if name == "__name__":
        return cls.name
    found = lookup(reader, cls, name)
    if found is None:
        if name == "load_from_checkpoint" and _is_of_framework(reader, cls):
            reader.loaded.add(cls)
        return _applied(reader, cls) if name == "apply" else UNKNOWN
    owner, node = found
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        function = function_in(owner, node)
        return Bound(function, cls) if "classmethod" in _decorators(node) else function
    value = constant_of(reader, owner, node)
    return enumerated(reader, cls, name, value) if is_enum(reader, cls) else value


def _is_of_framework(reader: Reader, cls: UserClass) -> bool:
    """Whether a class derives from one of a framework that trains models."""
    bases = (base.name for base in order_of(reader, cls) if isinstance(base, External))
    return any(name.partition(".")[0] in TRAINING for name in bases)


def _applied(reader: Reader, cls: UserClass) -> Value:
    """The forward of a torch.autograd.Function, which its `apply` calls."""
    bases = [base.name for base in order_of(reader, cls) if isinstance(base, External)]
    found = lookup(reader, cls, "forward")
    method = method_of(reader, *found) if found is not None else None
    if not isinstance(method, Function) or "torch.autograd.Function" not in bases:
        return UNKNOWN
    forward = replace(method, owner=None)
    # Where the context is set up by a method of its own, the forward is not given it.
    return forward if lookup(reader, cls, "setup_context") else Bound(forward, PLAIN)


def _of_instance(reader: Reader, value: Instance, name: str) -> Value:
    if name in value.attrs:
        held = value.attrs[name]
        return value.attrs[name] if set_apart(reader, value, held) else held
    if name == "_modules" and value.torch in CONTAINERS:
        return value
    if value.cls is not None:
        found = lookup(reader, value.cls, name)
        if found is not None:
            return _member_value(reader, value, *found)
        if name == "__class__":
            return value.cls
    if name == "__class__" and value.torch:
        return External(f"torch.nn.{value.kind()}")
    if name == "module" and value in reader.life.of:
        # What DataParallel holds under this name.
        return value
    if name == "__dict__" and not value.torch:
        return Table(value.attrs)
    if name == "__dict__":
        tables = {key: _of_instance(reader, value, key) for key in ("_modules", "_parameters")}
        return Table({**value.attrs, **tables}, True)
    if not value.torch:
        return UNKNOWN
    if name in value.args:
        return value.args[name] if value.cls is not None else attribute_of(value, name)
    if name == "training":
        return PLAIN
    if name in ("_modules", "_parameters"):
        kind = Slot if name == "_parameters" else Instance
        return Table({k: v for k, v in value.attrs.items() if type(v) is kind}, True)
    if name in OF_EVERY or name in OF_SOME or name in (*_SPECIAL, reset_of(value.torch)):
        return Method(value, name)
    if lacks(value, name) or surely_lacks(reader, value, name):
        return Missing(type_of(value), name)
    if value.cls is None and value.torch not in CONTAINERS:
        return attribute_of(value, name)
    return UNKNOWN


def _member_value(reader: Reader, value: Instance, owner: UserClass, node: ast.AST) -> Value:
    """A bound method, the value of a property, or a constant of the class."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        constant = constant_of(reader, owner, node)
        return Bound(constant, value) if isinstance(constant, Function) else constant
    if is_dispatched(node):
        return UNKNOWN
    decorators = _decorators(node)
    function = function_in(owner, node)
    if "staticmethod" in decorators:
        return replace(function, owner=None)
    if "classmethod" in decorators:
        return Bound(function, value.cls)
    if decorators & set(_PROPERTIES):
        return call(reader, function, [value], {})
    return Bound(function, value)


_FACTS = frozenset(
    [
        "shape",
        "dtype",
        "device",
        "ndim",
        "requires_grad",
        "is_cuda",
        "layout",
        "grad",
        "names",
        "is_sparse",
        "is_meta",
        "is_nested",
        "is_leaf",
        "itemsize",
        "nbytes",
    ]
)


def _decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    found = set()
    for decorator in node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.add(target.id if isinstance(target, ast.Name) else getattr(target, "attr", ""))
    return found
