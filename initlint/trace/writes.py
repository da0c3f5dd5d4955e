"""What calls of torch leave in a tensor: new ones by their creator, written ones by arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from initlint.dataflow.draws import (
    UNCLEAR,
    UNWRITTEN,
    Draw,
    drawn_by,
    inverse_error_function,
    scaled,
    shifted,
)
from initlint.records import Site

# Draws made by the functions that create a tensor, from the arguments after the size.
_CREATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "randn": ("normal_", {"mean": 0.0, "std": 1.0}),
    "randn_like": ("normal_", {"mean": 0.0, "std": 1.0}),
    "rand": ("uniform_", {"a": 0.0, "b": 1.0}),
    "rand_like": ("uniform_", {"a": 0.0, "b": 1.0}),
    "zeros": ("zeros_", {}),
    "zeros_like": ("zeros_", {}),
    "new_zeros": ("zeros_", {}),
    "ones": ("ones_", {}),
    "ones_like": ("ones_", {}),
    "new_ones": ("ones_", {}),
    "eye": ("eye_", {}),
}
EMPTY = {"empty", "empty_like", "new_empty", "empty_strided", "empty_permuted"}
# In-place methods of tensors and the initialiser that each stands for, with its arguments.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "normal_": ("normal_", {"mean": 0.0, "std": 1.0}),
    "uniform_": ("uniform_", {"a": 0.0, "b": 1.0}),
    "fill_": ("constant_", {"val": 0.0}),
    "zero_": ("zeros_", {}),
}
KEEPING = {"clone", "contiguous", "to", "float", "double", "half", "bfloat16", "type", "clamp_"}


def created(
    name: str,
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
    shape: tuple[int, ...],
    source: Draw,
) -> Draw:
    """The draw of a new tensor, from the function that made it."""
    if name in EMPTY:
        return UNWRITTEN
    if name in _CREATORS:
        initializer, arguments = _CREATORS[name]
        return drawn_by(initializer, arguments, shape)
    if name in ("full", "full_like", "new_full"):
        value = keywords.get("fill_value", args[-1] if args else None)
        return drawn_by("constant_", {"val": value}, shape)
    if name == "normal":
        given = bound({"mean": 0.0, "std": 1.0}, args[:2], keywords)
        return drawn_by("normal_", given, shape)
    if name in KEEPING:
        return source
    operand = next((a for a in args if not isinstance(a, torch.Tensor)), None)
    return transformed(name, source, operand, None)


def transformed(name: str, draw: Draw, operand: Any, site: Site | None) -> Draw:
    """The draw after an arithmetic operation with a number; unknown for anything else."""
    kind = name.strip("_").removeprefix("r").removeprefix("i")
    if kind == "erfinv":
        return inverse_error_function(draw, site)
    if not isinstance(operand, (int, float)) or not draw.name:
        return replace(UNCLEAR, site=site)
    if kind == "mul":
        return scaled(draw, float(operand), site)
    if kind in ("div", "truediv", "true_divide") and operand:
        return scaled(draw, 1 / operand, site)
    if kind in ("add", "sub"):
        return shifted(draw, float(operand) * (1 if kind == "add" else -1), site)
    return replace(UNCLEAR, site=site)


def bound(
    defaults: Mapping[str, Any], positional: tuple[Any, ...], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    given = dict(defaults)
    given.update(zip(given, positional, strict=False))
    given.update({key: value for key, value in keywords.items() if key in given})
    return given


def renamed(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword names of Tensor's methods as torch.nn.init calls them."""
    names = {"from": "a", "to": "b", "value": "val"}
    return {names.get(key, key): value for key, value in keywords.items()}
