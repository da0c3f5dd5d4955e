"""Attributes and elements of values: of objects, modules, tensors, lists and files."""

from __future__ import annotations

import ast
import contextlib
from dataclasses import replace

from initlint.reading.budget import ELEMENTS, LONGEST_NAME
from initlint.reading.calls import Calls
from initlint.reading.classes import UserClass
from initlint.reading.effects import Missing, lacks
from initlint.reading.holders import (
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
    elements,
    extend,
)
from initlint.reading.parts import choice, contents_of, is_small, leaves, unsure
from initlint.reading.resolve import Module
from initlint.reading.torch_modules import attribute_of, reset_of, type_of
from initlint.reading.values import (
    PLAIN,
    UNKNOWN,
    External,
    Fresh,
    Held,
    Kept,
    Named,
    Plain,
    Slot,
    Sym,
    Tensor,
    Unknown,
    Value,
    bounded,
    external,
    named,
)
from initlint.torchlib import catalog
from initlint.torchlib.members import OF_EVERY, OF_SOME

# Keys of dicts that are told apart: layers and parameters are keys by what they are.
_KEYS = (str, int, tuple, Instance, Slot)
_METHODS_OF = (Listing, Table, str, tuple)
_ALIKE = ("data", "grad", "T", "mT", "H", "mH", "real")
_STATIC = {"staticmethod": "static", "classmethod": "class"}
_PROPERTIES = ("property", "cached_property", "lazy_property")


class Attributes(Calls):
    """Evaluates attribute access and subscripts."""

    def attribute(self, value: Value, name: str) -> Value:
        """The value of an attribute."""
        kind = type(value)
        if kind is Instance:
            return self._of_instance(value, name)
        if kind is External:
            if name == "__name__":
                return value.name.rpartition(".")[2]
            return external(f"{value.name}.{name}") if len(value.name) < LONGEST_NAME else UNKNOWN
        if kind is Tensor:
            return self._of_tensor(value, name)
        if kind is Module:
            return self.member_of(value, name)
        if kind in (Slot, Held):
            return self._of_parameter(value, name)
        if kind is Fresh:
            return self._of_fresh(value, name)
        if kind is Super:
            return self._of_super(value, name)
        if kind is UserClass:
            return self._of_class(value, name)
        if kind is Choice:
            found = [self.attribute(one, name) for one in value.options if one is not None]
            return choice(found, len(found))
        if kind is Partial:
            parts = {"func": value.function, "args": value.args, "keywords": Table(value.kwargs)}
            return parts.get(name, UNKNOWN)
        if isinstance(value, _METHODS_OF):
            return Method(value, name)
        return self._of_others(value, name)

    def _of_others(self, value: Value, name: str) -> Value:
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
        # An attribute of a value that may hold weights may hold them, too.
        return value if isinstance(value, Unknown) else UNKNOWN

    def member_of(self, found: Module | External, name: str) -> Value:
        """A module's attribute of this name."""
        raise NotImplementedError

    def _of_tensor(self, value: Tensor, name: str) -> Value:
        if name == "T" or name in ("mT", "H", "mH"):
            return self.operate(name, [value])
        if name in ("data", "values", "last_hidden_state", "real", "tensors"):
            return value
        operation = catalog.operation_of_function(name)
        if operation is not None and operation.role == "query" and name in _FACTS:
            return PLAIN
        return Method(value, name)

    def _of_parameter(self, value: Slot | Held, name: str) -> Value:
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
            return self.operate(name, [value])
        return PLAIN if name in _FACTS else Method(value, name)

    def _of_fresh(self, value: Fresh, name: str) -> Value:
        if name == "shape":
            return value.shape if value.shape is not None else PLAIN
        if name == "data":
            return value
        if name in _ALIKE:
            return self.operate(name, [value])
        return PLAIN if name in _FACTS else Method(value, name)

    def _of_super(self, value: Super, name: str) -> Value:
        receiver, owner = value.receiver, value.owner
        if isinstance(receiver, UserClass):
            found = self.member(receiver, name, after=owner)
            return UNKNOWN if found is None else self.method(*found)
        if not isinstance(receiver, Instance) or receiver.cls is None:
            return UNKNOWN
        found = self.member(receiver.cls, name, after=owner)
        if found is not None:
            return self._member_value(receiver, *found)
        if name == "__init__":
            return Method(receiver, "__init__")
        if name in ("forward", "__call__"):
            return Method(receiver, "super.forward")
        if name == reset_of(receiver.torch):
            return Method(receiver, "super.reset")
        return Method(receiver, name) if receiver.torch else UNKNOWN

    def _of_class(self, cls: UserClass, name: str) -> Value:
        if name == "__name__":
            return cls.name
        found = self.member(cls, name)
        if found is None:
            return self._applied(cls) if name == "apply" else UNKNOWN
        owner, node = found
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function = self.function(owner, node)
            return Bound(function, cls) if "classmethod" in _decorators(node) else function
        value = self.constant_of(owner, node)
        return self.enumerated(cls, name, value) if self.is_enum(cls) else value

    def _applied(self, cls: UserClass) -> Value:
        """The forward of a torch.autograd.Function, which its `apply` calls."""
        bases = [base.name for base in self.order(cls) if isinstance(base, External)]
        found = self.member(cls, "forward")
        method = self.method(*found) if found is not None else None
        if not isinstance(method, Function) or "torch.autograd.Function" not in bases:
            return UNKNOWN
        forward = replace(method, owner=None)
        # Where the context is set up by a method of its own, the forward is not given it.
        return forward if self.member(cls, "setup_context") else Bound(forward, PLAIN)

    def _of_instance(self, value: Instance, name: str) -> Value:
        if name in value.attrs:
            return value.attrs[name]
        if name == "_modules" and value.torch in CONTAINERS:
            return value
        if value.cls is not None:
            found = self.member(value.cls, name)
            if found is not None:
                return self._member_value(value, *found)
            if name == "__class__":
                return value.cls
        if name == "__class__" and value.torch:
            return External(f"torch.nn.{value.torch}")
        if name == "module" and value in self.life.of:
            # What DataParallel holds under this name.
            return value
        if name == "__dict__":
            return Table({**value.attrs}, True) if value.torch else Table(value.attrs)
        if not value.torch:
            return UNKNOWN
        if name in value.args:
            return value.args[name] if value.cls is not None else attribute_of(value, name)
        if name == "training":
            return PLAIN
        if name in ("_modules", "_parameters"):
            kind = Slot if name == "_parameters" else Instance
            return Table({k: v for k, v in value.attrs.items() if type(v) is kind}, True)
        if name in OF_EVERY or name in OF_SOME:
            return Method(value, name)
        if lacks(value, name) or self.surely_lacks(value, name):
            return Missing(type_of(value), name)
        if value.cls is None and value.torch not in CONTAINERS:
            return attribute_of(value, name)
        return UNKNOWN

    def _member_value(self, value: Instance, owner: UserClass, node: ast.AST) -> Value:
        """A bound method, the value of a property, or a constant of the class."""
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            constant = self.constant_of(owner, node)
            return Bound(constant, value) if isinstance(constant, Function) else constant
        decorators = _decorators(node)
        function = self.function(owner, node)
        if "staticmethod" in decorators:
            return replace(function, owner=None)
        if "classmethod" in decorators:
            return Bound(function, value.cls)
        if decorators & set(_PROPERTIES):
            return self.call(function, [value], {})
        return Bound(function, value)

    # Brackets.

    def item(self, value: Value, index: Value) -> Value:
        """The value of a subscript."""
        if isinstance(value, (Tensor, Slot, Held, Fresh)):
            return self.operate("getitem", [value, index])
        if type(index) is not int and type(index) is not str:
            length = len(value) // 64 if type(value) is str else len(contents_of(value))
            self.budget.elements(length + len(contents_of(index)))
        if isinstance(value, Kept):
            self.graph.touched.add(value.slot)
        if isinstance(value, (tuple, Listing, str)):
            return _element(value, index)
        if isinstance(value, Table):
            return _entry(value, index)
        if isinstance(value, Instance):
            return self._item_of_instance(value, index)
        if type(value) is External and value.name == "sys.modules" and self.frames:
            # Nearly always by `__name__`: the file itself.
            return self.frames[-1].module
        if isinstance(value, Choice):
            return choice([self.item(one, index) for one in value.options if one is not None])
        if isinstance(value, Named) and isinstance(index, (int, str)):
            return named(value, f"[{index}]") if bounded(index) is index else UNKNOWN
        if isinstance(value, Unknown):
            return value
        return PLAIN if isinstance(value, (Plain, Sym, Named)) else UNKNOWN

    def _item_of_instance(self, value: Instance, index: Value) -> Value:
        if value.torch in CONTAINERS:
            return self.part(value, index)
        if value.cls is None:
            return UNKNOWN
        found = self.member(value.cls, "__getitem__")
        return UNKNOWN if found is None else self.call(self.method(*found), [value, index], {})

    def put(self, value: Value, index: Value, item: Value) -> None:
        """Assign to a subscript."""
        if self.outside:
            self.life.rebuild(value)
        if isinstance(value, Table):
            if len(value.items) >= ELEMENTS:
                value.open = True
            elif _is_key(index):
                value.items[index] = item
            else:
                value.items[f"{{{len(value.items)}}}"] = item
                value.open = True
        elif isinstance(value, Listing):
            if isinstance(index, slice):
                self._put_several(value, index, item)
            elif type(index) is int and -len(value.items) <= index < len(value.items):
                value.items[index] = item
        elif isinstance(value, Instance) and value.torch in CONTAINERS:
            names = list(value.members())
            if type(index) is int and -len(names) <= index < len(names):
                value.attrs[names[index]] = item
            elif isinstance(index, str):
                self.hold(value, index, item)
            else:
                value.attrs[f"{{{len(names)}}}"] = item

    def _put_several(self, value: Listing, index: slice, item: Value) -> None:
        """Put several items in place of others."""
        ends = (index.start, index.stop, index.step)
        found = elements(item)
        if found is None or not all(end is None or type(end) is int for end in ends):
            value.items = [UNKNOWN] * len(value.items)
            value.open = True
            return
        self.budget.elements((len(found) + len(value.items)) // 8)
        with contextlib.suppress(ValueError):
            value.items[index] = found
            extend(value, ())


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


def _element(value: tuple[Value, ...] | Listing | str, index: Value) -> Value:
    items = value.items if isinstance(value, Listing) else value
    open_ended = isinstance(value, Listing) and value.open
    if isinstance(index, slice):
        return _slice(value, items, index)
    if type(index) is int or isinstance(index, bool):
        if open_ended and index < 0:
            return items[-1] if items else UNKNOWN
        if -len(items) <= index < len(items):
            return items[index]
        return items[-1] if open_ended and items else UNKNOWN
    if isinstance(value, str) or not items:
        return PLAIN if isinstance(value, str) else UNKNOWN
    return choice(list(items))


def _slice(
    value: tuple[Value, ...] | Listing | str,
    items: list[Value] | tuple[Value, ...] | str,
    index: slice,
) -> Value:
    ends = (index.start, index.stop, index.step)
    if all(end is None or type(end) is int for end in ends):
        part = items[index]
        return Listing(list(part), value.open) if isinstance(value, Listing) else part
    if isinstance(value, str):
        return PLAIN
    return Listing(list(items), True)


def _entry(value: Table, index: Value) -> Value:
    if isinstance(index, _KEYS) and not _has_unknown(index):
        if index in value.items:
            return value.items[index]
        return UNKNOWN
    return choice(list(value.items.values())) if value.items else UNKNOWN


def _is_key(index: Value) -> bool:
    """Whether a dict is kept by this key; slices have no hash, but may lie in a tuple."""
    is_hashable = isinstance(index, _KEYS) and is_small(index)
    return is_hashable and not any(type(part) is slice for part in leaves(index))


def _has_unknown(index: Value) -> bool:
    return isinstance(index, tuple) and not all(isinstance(v, (str, int)) for v in index)
