"""The draw in a tensor after torch's creators, in-place methods and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.records import Site
from initlint.torchlib.draws import (
    UNCLEAR,
    UNWRITTEN,
    Draw,
    drawn_by,
    inverse_error_function,
    scaled,
    shifted,
)

# The draw that the function which creates a tensor leaves in it, whatever its arguments.
_DRAWS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "randn": ("normal_", {"mean": 0.0, "std": 1.0}),
    "rand": ("uniform_", {"a": 0.0, "b": 1.0}),
    "zeros": ("zeros_", {}),
    "ones": ("ones_", {}),
    "eye": ("eye_", {}),
}
# Creators of uninitialised memory; `Tensor` and similar ones only if they are called with sizes.
_LEGACY = (
    "",
    "Float",
    "Double",
    "Half",
    "BFloat16",
    "Long",
    "Int",
    "Short",
    "Byte",
    "Char",
    "Bool",
)
_EMPTY = ("empty", "empty_strided", "empty_permuted", *(f"{kind}Tensor" for kind in _LEGACY))
_NAMES = (*_DRAWS, *_EMPTY, "full")
# By every name the creator that it is a form of: zeros_like and new_zeros are zeros.
CREATORS: Mapping[str, str] = {
    form: name
    for name in _NAMES
    for form in (name, f"{name}_like", f"new_{name}")
    if name[0].islower() or form == name
} | {"normal": "normal", "tensor": "tensor"}
EMPTY = frozenset(form for form, name in CREATORS.items() if name in _EMPTY)
# In-place methods of tensors, each with the equivalent initialiser and its arguments.
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "normal_": ("normal_", {"mean": 0.0, "std": 1.0}),
    "uniform_": ("uniform_", {"a": 0.0, "b": 1.0}),
    "fill_": ("constant_", {"val": 0.0}),
    "zero_": ("zeros_", {}),
}
# Operations whose result is as little known as the memory that they read.
READING = {
    *("add", "sub", "mul", "div", "truediv", "radd", "rsub", "rmul", "neg", "abs", "pow", "sqrt"),
    *("exp", "log", "clamp", "clamp_min", "clamp_max", "round", "floor", "sigmoid", "tanh"),
    *("stack", "cat", "concat", "repeat", "tile", "flip", "roll"),
    *("matmul", "mm", "bmm", "einsum", "interpolate", "index_select", "gather", "lerp"),
}
# Methods that do not change the values.
KEEPING = {"clone", "contiguous", "to", "float", "double", "half", "bfloat16", "type", "clamp_"}


def created(
    name: str, args: Sequence[Any], keywords: Mapping[str, Any], shape: tuple[Any, ...] | None
) -> Draw:
    """The draw of a new tensor of `shape`, from the function that made it."""
    kind = CREATORS[name]
    if kind in _EMPTY:
        return UNWRITTEN
    if kind == "tensor":
        value = args[0] if args else keywords.get("data")
        is_number = isinstance(value, (int, float))
        return drawn_by("constant_", {"val": value}, shape) if is_number else UNCLEAR
    if kind == "full":
        # After the sizes, or the tensor that it is to be like.
        value = keywords.get("fill_value", args[-1] if args else None)
        is_number = isinstance(value, (int, float))
        return drawn_by("constant_", {"val": value}, shape) if is_number else UNCLEAR
    if kind == "normal":
        given = bound({"mean": 0.0, "std": 1.0}, args[:2], keywords)
        is_sure = all(isinstance(value, (int, float)) for value in given.values())
        return drawn_by("normal_", given, shape) if is_sure else UNCLEAR
    initializer, arguments = _DRAWS[kind]
    return drawn_by(initializer, arguments, shape)


def transformed(name: str, draw: Draw, operand: Any, site: Site | None) -> Draw:
    """The draw after an arithmetic operation with a number; unknown for anything else."""
    kind = name.strip("_")
    kind = kind if kind in _ARITHMETIC else kind.removeprefix("i")
    if kind == "erfinv":
        return inverse_error_function(draw, site)
    if kind in ("neg", "negative"):
        return scaled(draw, -1.0, site)
    if not isinstance(operand, (int, float)) or not draw.name:
        return replace(UNCLEAR, site=site)
    number = float(operand)
    if kind in ("mul", "rmul", "multiply"):
        return scaled(draw, number, site)
    if kind in ("div", "truediv", "true_divide", "divide") and operand:
        return scaled(draw, 1 / number, site)
    if kind in ("add", "radd"):
        return shifted(draw, number, site)
    if kind in ("sub", "subtract"):
        return shifted(draw, -number, site)
    if kind == "rsub":
        return shifted(scaled(draw, -1.0, site), number, site)
    return replace(UNCLEAR, site=site)


_ARITHMETIC = {
    *("erfinv", "neg", "negative", "mul", "rmul", "multiply", "div", "truediv", "true_divide"),
    *("divide", "add", "radd", "sub", "subtract", "rsub"),
}


def bound(
    defaults: Mapping[str, Any], positional: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of an initialiser by name, as given or by default."""
    given = dict(defaults)
    given.update(zip(given, positional, strict=False))
    given.update({key: value for key, value in keywords.items() if key in given})
    return given


def renamed(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword names of Tensor's methods as torch.nn.init calls them."""
    names = {"from": "a", "to": "b", "value": "val"}
    return {names.get(key, key): value for key, value in keywords.items()}
