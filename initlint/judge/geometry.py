"""How a draw counts a weight's fans, and how they are: shared by INIT201 to INIT206."""

from __future__ import annotations

import math

from initlint.judge.wording import origin
from initlint.recommend import TOLERANCE, times
from initlint.records import Initializer, Layer
from initlint.torchlib.draws import calculate_gain

# The gains by which a scale is computed from a fan by hand: uniform in ±1/√n, 1/√n, √(2/n).
_BY_HAND = {
    "uniform_": (1 / math.sqrt(3), 1.0, math.sqrt(2)),
    "normal_": (1.0, math.sqrt(2)),
    "trunc_normal_": (1.0, math.sqrt(2)),
}
_SAME = 1e-6


def described(layer: Layer) -> str:
    """The layer as messages call it: its name, class and, where they are numbers, its sizes."""
    size = "" if layer.nominal else " " + "×".join(map(str, layer.shape))
    return f"{layer.layer or layer.parameter} ({layer.type}{size})"


def counted(layer: Layer) -> tuple[float, float] | None:
    """fan_in and fan_out as torch.nn.init counts them from the shape; None without two sizes."""
    if len(layer.shape) < 2:
        return None
    window = math.prod(layer.shape[2:])
    return layer.shape[1] * window, layer.shape[0] * window


def std_with(current: Initializer, fan_in: float, fan_out: float) -> float | None:
    """The std that a Kaiming or Xavier call gives a matrix with these fans; None for others."""
    args = current.args
    if min(fan_in, fan_out) <= 0:
        return None
    if current.name.startswith("xavier"):
        return float(args.get("gain", 1.0)) * math.sqrt(2 / (fan_in + fan_out))
    if not current.name.startswith("kaiming"):
        return None
    try:
        gain = calculate_gain(args.get("nonlinearity", "leaky_relu"), args.get("a", 0))
    except ValueError:
        return None
    return gain / math.sqrt(fan_in if args.get("mode", "fan_in") == "fan_in" else fan_out)


def is_off(ratio: float) -> bool:
    """Whether a std is off by more than the tolerance."""
    return not 1 / TOLERANCE <= ratio <= TOLERANCE


def gain_by_hand(current: Initializer, fan: float) -> float | None:
    """The gain with which a hand-written scale was computed from this fan; None if it was not.

    A scale of few digits, such as 0.1, is no such number: it may have been chosen.
    """
    scale = current.args.get("b" if current.name == "uniform_" else "std")
    if current.std is None or not isinstance(scale, (int, float)) or round(scale, 3) == scale:
        return None
    present = current.std * math.sqrt(fan)
    return next((g for g in _BY_HAND.get(current.name, ()) if abs(present / g - 1) < _SAME), None)


__all__ = ["counted", "described", "gain_by_hand", "is_off", "origin", "std_with", "times"]
