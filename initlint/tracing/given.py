"""Inputs that the user gave, or that the model carries, as arguments of its forward on a device."""

from __future__ import annotations

import difflib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class Named:
    """A keyword argument of forward."""

    name: str
    value: Any


def by_name(values: Sequence[Any], parameters: Mapping[str, inspect.Parameter]) -> tuple[Any, ...]:
    """The inputs, with those of a dict whose keys are forward's arguments as keyword arguments.

    That is what a tokenizer gives. A dict with other keys is an argument itself.
    """
    found: list[Any] = []
    for value in values:
        if isinstance(value, Mapping) and value and value.keys() <= parameters.keys():
            found += [Named(str(name), part) for name, part in value.items()]
        else:
            found.append(value)
    return tuple(found)


def unfit(values: Sequence[Any], forward: Callable[..., Any]) -> str:
    """Why `forward` cannot be called with inputs, as far as its signature tells; empty if it can.

    Arguments that are missing are guessed.
    """
    try:
        signature = inspect.signature(forward)
    except (TypeError, ValueError):
        return ""
    parameters = signature.parameters
    found = by_name(values, parameters)
    named = [value.name for value in found if is_named(value)]
    places = [p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD]
    unknown = [name for name in named if name not in places]
    if unknown and len(places) == len(parameters):
        close = difflib.get_close_matches(unknown[0], places, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(places)}"
        return f"forward takes no argument {unknown[0]}; {hint}"
    twice = [name for name, count in Counter(named).items() if count > 1]
    if twice:
        return f"more than one input is given for forward's argument {twice[0]}"
    try:
        unnamed = [value for value in found if not is_named(value)]
        signature.bind_partial(*unnamed, **dict.fromkeys(named))
    except TypeError as error:
        return f"forward cannot take these inputs: {error}"
    return ""


def tensors_of(values: Any) -> Iterator[torch.Tensor]:
    """All tensors in nested inputs."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from tensors_of(list(values.values()))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from tensors_of(value)


def made(values: Sequence[Any], device: str) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments; what `--input` describes by dtype and shape is made."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for value in values:
        if isinstance(value, Named):
            kwargs[value.name] = moved(value.value, device)
            continue
        if not _is_described(value):
            args.append(moved(value, device))
            continue
        tensor = torch.zeros(value.shape, dtype=getattr(torch, value.dtype), device=device)
        if value.name:
            kwargs[value.name] = tensor
        else:
            args.append(tensor)
    return args, kwargs


def is_named(value: Any) -> bool:
    """Whether a value is a keyword argument, or an input specification with an argument's name."""
    return isinstance(value, Named) or (_is_described(value) and bool(value.name))


def _is_described(value: Any) -> bool:
    return hasattr(value, "shape") and isinstance(getattr(value, "dtype", None), str)


def moved(value: Any, device: str) -> Any:
    """A value with all its tensors on `device`; one without values, from the meta device, is zero.

    A model that is built on the meta device has its example input there, too.
    """
    if isinstance(value, torch.Tensor) and value.is_meta:
        return torch.zeros(value.shape, dtype=value.dtype, device=device)
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: moved(part, device) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [moved(part, device) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def as_arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A model's example input as lightning and transformers hold it: one, several, or by name."""
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, (list, tuple)) else ((example,), {})
