"""A model as it was before forward was traced or run: attributes, modes, buffers, random state."""

from __future__ import annotations

import contextlib
import copy
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

# Their entries are written in place, so that a copy of the reference alone would not do.
_TABLES = ("_parameters", "_buffers", "_modules")
LAZY = nn.parameter.UninitializedTensorMixin  # type: ignore[attr-defined]
# The depth to which values within the attributes of modules are searched, and the most of them.
_DEEPEST, _MOST = 4, 100_000


@contextlib.contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """A context in which forward writes to copies of buffers, lists and other non-parameter
    tensors; afterwards everything is restored, also if forward raises.

    The buffers themselves are never written, so that their version counters stay and a backward
    pass that needs them still runs. Nor are parameters: tracing sees only proxies of them, and a
    run is of a copy of the model.
    """
    copies = _Copies(model)
    with torch.random.fork_rng(devices=[]):
        try:
            for module in model.modules():
                copies.stand_in(module)
            yield
        finally:
            copies.put_back()


class _Copies:
    """Copies of a model's mutable values that forward may write to.

    A value in several places gets one copy. Modules and other objects are not copied: their
    attributes, and those of their classes, are replaced by copies and restored.
    """

    def __init__(self, model: nn.Module) -> None:
        self._known: dict[int, Any] = {}
        self._alive: list[Any] = []
        self._within = 0
        self._noted: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._without_hooks: list[dict[str, Any]] = []
        self._classes: dict[type, dict[str, Any]] = {}
        parameters = list(model.parameters())
        self._same = {id(parameter) for parameter in parameters}
        self._data = [(p, p.data, p.requires_grad) for p in parameters if not isinstance(p, LAZY)]

    def stand_in(self, module: nn.Module) -> None:
        """Replace a module's buffers and other attributes by copies."""
        if id(module) not in self._known and not isinstance(module, torch.jit.ScriptModule):
            self._known[id(module)] = module
            self._stand_in_for(module, vars(module), 0)

    def put_back(self) -> None:
        """Give all objects and classes the attributes that they had."""
        for entries, before in self._noted:
            _put_back(entries, before)
        for table in self._without_hooks:
            table.clear()
        for parameter, data, requires_grad in self._data:
            # `self.half()` and `self.requires_grad_(False)` reach parameters past tracing.
            if parameter.dtype != data.dtype or parameter.device != data.device:
                parameter.data = data
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
        for kind, attributes in self._classes.items():
            for name in vars(kind).keys() - attributes.keys():
                type.__delattr__(kind, name)
            for name, value in attributes.items():
                if vars(kind).get(name, attributes) is not value:
                    type.__setattr__(kind, name, value)

    def _stand_in_for(self, value: Any, entries: dict[str, Any], depth: int) -> None:
        tables = [entries[table] for table in _TABLES] if isinstance(value, nn.Module) else []
        self._noted += [(table, dict(table)) for table in (entries, *tables)]
        if tables:
            self._fill(tables[_TABLES.index("_buffers")], depth)
        self._fill(entries, depth)
        for kind in type(value).__mro__:
            if kind not in self._classes and not _is_of_library(kind):
                self._classes[kind] = dict(vars(kind))
                for name, part in self._classes[kind].items():
                    if type(part) in _CONTAINERS and not name.startswith("__"):
                        type.__setattr__(kind, name, self._of(part, depth))

    def _fill(self, entries: dict[str, Any], depth: int) -> None:
        for name, value in list(entries.items()):
            if name.endswith("_hooks") and isinstance(value, dict):
                # Torch's handles know the very table, so that it stays and its entries are noted.
                # Most of a module's many tables are empty.
                if value:
                    self._noted.append((value, dict(value)))
                else:
                    self._without_hooks.append(value)
            elif name not in _TABLES:
                entries[name] = self._of(value, depth)

    def _of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _ATOMS or id(value) in self._same or depth > _DEEPEST:
            return value
        # What modules hold themselves is always copied, however many they are.
        self._within += depth > 0
        if id(value) not in self._known and (depth == 0 or self._within <= _MOST):
            # A first entry, so that what holds itself is copied once.
            self._known[id(value)] = value
            self._alive.append(value)
            self._known[id(value)] = self._copy(value, depth + 1)
        return self._known.get(id(value), value)

    def _copy(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, torch.Tensor):
            return _tensor(value)
        if isinstance(value, torch.Generator):
            return value.clone_state()
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
            return value.copy()
        if kind is random.Random or _is_numpys_generator(kind):
            return copy.deepcopy(value)
        if kind in (list, set, deque):
            copied = value.copy()
            self._known[id(value)] = copied
            parts = [self._of(part, depth) for part in value] if kind is not set else value
            copied.clear()
            (copied.update if kind is set else copied.extend)(parts)
            return copied
        if kind in (dict, OrderedDict, defaultdict):
            copied = value.copy()
            self._known[id(value)] = copied
            copied.update({key: self._of(part, depth) for key, part in value.items()})
            return copied
        if kind is tuple:
            parts = tuple(self._of(part, depth) for part in value)
            same = all(new is old for new, old in zip(parts, value, strict=True))
            return value if same else parts
        entries = _attributes(value)
        if entries is not None:
            self._stand_in_for(value, entries, depth)
        return value


def _is_numpys_generator(kind: type) -> bool:
    names = ("Generator", "RandomState")
    return kind.__module__.startswith("numpy.random") and kind.__name__ in names


def _attributes(value: Any) -> dict[str, Any] | None:
    """The attributes of a module or of an object of the user's classes; None for all others."""
    kinds = (type, FunctionType, ModuleType, torch.jit.ScriptModule)
    other = _is_of_library(type(value)) and not isinstance(value, nn.Module)
    if other or isinstance(value, kinds):
        return None
    try:
        entries = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return entries if type(entries) is dict else None


_ATOMS = frozenset((int, float, bool, str, bytes, complex, type(None)))


# Kinds of attributes of classes that are written in place.
_CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict, torch.Tensor)
_LIBRARIES = ("torch", "builtins", "functools", "typing", "abc", "threading", "logging", "re")


def _is_of_library(kind: type) -> bool:
    return str(kind.__module__).partition(".")[0] in _LIBRARIES


def _tensor(value: torch.Tensor) -> torch.Tensor:
    """A copy of a tensor; of a kind that cannot be copied (not yet shaped, say), the tensor."""
    if isinstance(value, (LAZY, nn.Parameter)):
        return value
    try:
        return value.detach().clone().requires_grad_(value.requires_grad)
    except (NotImplementedError, RuntimeError, TypeError):
        return value


def _put_back(entries: dict[str, object], before: dict[str, object]) -> None:
    same = len(entries) == len(before)
    if not same or any(entries.get(name, entries) is not value for name, value in before.items()):
        entries.clear()
        entries.update(before)
