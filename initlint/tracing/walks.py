"""Models that override torch's walks over their own parts: asked once, before they are relied on.

Overriding `parameters` is common and fine: an encoder hides what is frozen. But an override that
raises, never ends or yields something else would stop or mislead all that follows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from initlint.records import InitlintError
from initlint.tracing.foreign import contained, kind_of, text_of
from initlint.tracing.needs import refuse_disguised

# What each walk of a module yields.
_WALKS: Mapping[str, type] = {
    "children": nn.Module,
    "modules": nn.Module,
    "named_children": nn.Module,
    "named_modules": nn.Module,
    "parameters": torch.Tensor,
    "named_parameters": torch.Tensor,
    "buffers": torch.Tensor,
    "named_buffers": torch.Tensor,
}
# An override may yield what torch yields, several times each, and some more.
_TIMES, _MORE = 100, 10_000


def refuse_strange(model: nn.Module) -> None:
    """Raise InitlintError for a part of `model` whose own walk cannot be relied on."""
    # The tables of a scripted part lie in C++.
    parts = [part for part in _parts_of(model) if not _is_scripted(part)]
    for part in parts:
        refuse_disguised(part)
    most = _MORE + _TIMES * sum(1 + len(_table(part, "_parameters")) for part in parts)
    for part in parts:
        # One walk of torch's is made of another.
        if any(_is_overridden(part, name) for name in (*_WALKS, "_named_members")):
            for name, kind in _WALKS.items():
                _check(part, name, kind, most)


def _parts_of(model: nn.Module) -> list[nn.Module]:
    """A module and all within it, each once, without calling a method of theirs."""
    found: dict[int, nn.Module] = {}
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) not in found:
            found[id(part)] = part
            if _is_scripted(part):
                continue
            held = _table(part, "_modules").values()
            waiting += [child for child in held if issubclass(type(child), nn.Module)]
    return list(found.values())


def part_called(module: nn.Module, name: str) -> nn.Module | None:
    """A part of a module by its name; a `__getattr__` of the user's is not asked."""
    return None if _is_scripted(module) else module._modules.get(name)


def _is_scripted(part: nn.Module) -> bool:
    return issubclass(type(part), torch.jit.ScriptModule)


def _table(part: nn.Module, name: str) -> Mapping[str, Any]:
    """`part._modules` or `part._parameters`, whatever the class makes of these names."""
    held = object.__getattribute__(part, "__dict__")
    table = held.get(name) if isinstance(held, dict) else None
    if not isinstance(table, dict):
        raise InitlintError(f"{kind_of(part)}: has no {name}; call super().__init__() first")
    return table


def _is_overridden(part: nn.Module, name: str) -> bool:
    """Whether a class of the user's, or the instance, has a walk of its own."""
    if name in object.__getattribute__(part, "__dict__"):
        return True
    for base in type.mro(type(part)):
        # A metaclass of the user's is not asked.
        own = type.__dict__["__dict__"].__get__(base)
        if name in own:
            return not str(own.get("__module__")).startswith("torch.")
    return False


def _check(part: nn.Module, name: str, kind: type, most: int) -> None:
    """Raise InitlintError unless a walk ends, and yields what torch's would."""

    def all_of_it() -> list[Any]:
        return list(itertools.islice(iter(getattr(part, name)()), most + 1))

    found = _asked(part, name, all_of_it)
    if len(found) > most:
        raise InitlintError(f"{kind_of(part)}.{name}() yields more than {most:,} and was given up")
    for item in found:
        pair = item if isinstance(item, tuple) and len(item) == 2 else (None, None)
        key, value = pair if name.startswith("named_") else ("", item)
        if not isinstance(key, str) or not issubclass(type(value), kind):
            what = "pairs of a name and a" if name.startswith("named_") else "a"
            wanted = f"{what} {kind.__name__}"
            raise InitlintError(f"{kind_of(part)}.{name}() yields {kind_of(item)}, not {wanted}")


def _asked(part: nn.Module, name: str, question: Callable[[], Any]) -> Any:
    try:
        with contained():
            return question()
    except Exception as error:
        why = f"{kind_of(error)}: {text_of(error)}"
        raise InitlintError(f"{kind_of(part)}.{name}() raises {why}") from error
