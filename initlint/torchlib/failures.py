"""Which calls of initialisers raise an error when they run, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initlint.torchlib.draws import calculate_gain

# How many dimensions these need, at least and at most.
_DIMENSIONS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("kaiming_normal_", "kaiming_uniform_"), (2, 99)),
    **dict.fromkeys(("xavier_normal_", "xavier_uniform_", "orthogonal_"), (2, 99)),
    **dict.fromkeys(("sparse_", "eye_"), (2, 2)),
    "dirac_": (3, 5),
}

# Arguments that are numbers; `a` of Kaiming is the negative slope.
_NUMBERS = ("gain", "mean", "std", "b", "val", "sparsity")


def why_it_raises(name: str, args: Mapping[str, Any], dimensions: int | None) -> str:
    """Why `torch.nn.init.<name>(tensor, **args)` raises an error; empty if it does not.

    `dimensions` is None where that is not known, and so is an argument.
    """
    least, most = _DIMENSIONS.get(name, (0, 99))
    if dimensions is not None and not least <= dimensions <= most:
        wanted = f"{least}" if least == most else f"at least {least}"
        wanted = "3 to 5" if name == "dirac_" else wanted
        return f"it needs {wanted} dimensions; the tensor has {dimensions}"
    text = next((key for key in _NUMBERS if isinstance(args.get(key), str)), "")
    if text:
        what = "; calculate_gain gives that of a nonlinearity" if text == "gain" else ""
        return f"{text} is a number, not {args[text]!r}{what}"
    if name.startswith("kaiming"):
        return _of_kaiming(args)
    low, high, std = (_number(args.get(key)) for key in ("a", "b", "std"))
    is_range = low is not None and high is not None
    if name in ("uniform_", "trunc_normal_") and is_range and low > high:
        return f"it needs a range, but a={low} is above b={high}"
    if name == "normal_" and std is not None and std < 0:
        return f"it needs a std of 0 or more, not {std}"
    if name == "trunc_normal_" and std == 0:
        return "it divides by its std, which is 0"
    return ""


def _number(value: Any) -> Any:
    """A value if it is a number, else None."""
    return value if isinstance(value, (int, float)) else None


def _of_kaiming(args: Mapping[str, Any]) -> str:
    slope, mode, nonlinearity = (args.get(key) for key in ("a", "mode", "nonlinearity"))
    if isinstance(mode, str) and mode.lower() not in ("fan_in", "fan_out"):
        return f"there is no mode {mode!r}; write fan_in or fan_out"
    if isinstance(slope, str):
        return f"a is the negative slope, a number, not {slope!r}"
    if isinstance(nonlinearity, str):
        try:
            calculate_gain(nonlinearity, slope)
        except ValueError:
            return f"torch knows no gain for {nonlinearity!r}"
    return ""
