"""The live models that importing a file leaves, with all that its code has done to them."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from torch import nn

from initlint.tracing.foreign import asked
from initlint.tracing.record import Recorder

# Torch's own wrappers, and what they call the model inside.
_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}
# How deep in objects and containers models are looked for, and at how many members of each.
_DEPTH, _MEMBERS = 3, 100


def live_models(module: types.ModuleType, recorder: Recorder) -> dict[str, nn.Module]:
    """The models that the top level of a file has left, by name, those made there alone.

    A model lies in a variable, or in a container or object that a variable holds. Its name is that
    of its class, or of the variable if it is of a class of torch's or not the first of its class.
    A part of another model is none, nor is a copy that nothing has filled since.
    """
    found: dict[int, tuple[str, nn.Module]] = {}
    for name, value in list(vars(module).items()):
        for model in _models_in(value, _DEPTH):
            if recorder.made.knows(model) and asked(partial(_has_weights, model), False):
                found.setdefault(id(model), (name, model))
    parts = {id(part) for _, model in found.values() for part in parts_of(model)}
    named: dict[str, nn.Module] = {}
    seen = set()
    for variable, model in (entry for key, entry in found.items() if key not in parts):
        past = asked(partial(_past, model, recorder), id(model))
        if past not in seen:
            seen.add(past)
            named[_name(variable, model, named)] = model
    return named


def parts_of(model: nn.Module) -> list[nn.Module]:
    """The modules in a model; none if the user's class does not say which."""
    return asked(lambda: list(model.modules())[1:], [])  # type: ignore[no-any-return]


def _has_weights(model: nn.Module) -> bool:
    return next(iter(model.parameters()), None) is not None


def _name(variable: str, model: nn.Module, taken: Mapping[str, nn.Module]) -> str:
    kind = type(model)
    is_own = not kind.__module__.startswith("torch.")
    first = kind.__name__ if is_own and kind.__name__ not in taken else variable
    numbered = (f"{variable} {number}" for number in range(2, len(taken) + 3))
    return first if first not in taken else next(n for n in numbered if n not in taken)


def _models_in(value: Any, depth: int) -> Iterator[nn.Module]:
    """The models in a value: itself, or what containers and plain objects hold."""
    if isinstance(value, nn.Module):
        inner = _WRAPPERS.get(type(value).__name__)
        is_wrapper = inner is not None and type(value).__module__.startswith("torch.")
        yield getattr(value, inner or "") if is_wrapper else value
    elif depth:
        for member in _members(value):
            yield from _models_in(member, depth - 1)


def _members(value: Any) -> list[Any]:
    """The members of a container, or the attributes of an object of the user's class."""
    if isinstance(value, dict):
        return list(islice(dict.values(value), _MEMBERS))
    if isinstance(value, list):
        return list(islice(list.__iter__(value), _MEMBERS))
    if isinstance(value, tuple):
        return list(islice(tuple.__iter__(value), _MEMBERS))
    kind = type(value)
    is_plain = isinstance(value, (type, types.ModuleType, types.FunctionType))
    if is_plain or kind.__module__.partition(".")[0] in ("builtins", "torch"):
        return []
    held = asked(lambda: vars(value), None)
    return list(islice(dict.values(held), _MEMBERS)) if isinstance(held, dict) else []


def _past(model: nn.Module, recorder: Recorder) -> object:
    """A key that models share which the same lines have made and filled alike."""
    held = [(*pair, recorder.drawn(pair[1])) for pair in model.named_parameters()]
    draws = [(name, tuple(tensor.shape), draw.site, draw.name) for name, tensor, draw in held]
    return type(model), tuple(draws)
