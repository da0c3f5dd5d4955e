"""How a draw counts a weight's fans, and how they are: shared by INIT201 to INIT206."""

from __future__ import annotations

import math

from initlint.judge.suited import STRIDED
from initlint.judge.suited import is_off as fades_by
from initlint.judge.wording import called, origin
from initlint.recommend import TOLERANCE, suits, times
from initlint.recommend.question import in_question
from initlint.records import Initializer, Layer
from initlint.torchlib.draws import calculate_gain

# The gains by which a scale is computed from a fan by hand: uniform in ±1/√n, 1/√n, √(2/n).
_BY_HAND = {
    "uniform_": (1 / math.sqrt(3), 1.0, math.sqrt(2)),
    "normal_": (1.0, math.sqrt(2)),
    "trunc_normal_": (1.0, math.sqrt(2)),
}
# 1/√16 and 1/√64 have few digits, but as bounds they are hardly ever chosen.
_EXACT_ROOTS = (0.25, 0.125)
_SAME = 1e-6
_FAR = 2.0
# The reason for which a layer's scale does not matter to its activation, but to the layer's result.
_BEFORE = "its input comes from a normalisation"


def described(layer: Layer) -> str:
    """The weight as messages call it: its name, class and, where they are numbers, its sizes."""
    size = "" if layer.nominal else " " + "×".join(map(str, layer.shape))
    is_one = layer.parameter == f"{layer.layer}.weight"
    name = layer.layer if is_one else layer.parameter
    return f"{called(layer, name)} ({layer.type}{size})"


def std_with(current: Initializer, fan_in: float, fan_out: float) -> float | None:
    """The std that a Kaiming or Xavier call gives a matrix with these fans; None for others."""
    args = current.args
    if min(fan_in, fan_out) <= 0:
        return None
    try:
        if current.name.startswith("xavier"):
            return float(args.get("gain", 1.0)) * math.sqrt(2 / (fan_in + fan_out))
        if current.name == "orthogonal_":
            return float(args.get("gain", 1.0)) / math.sqrt(max(fan_in, fan_out))
        if not current.name.startswith("kaiming"):
            return None
        gain = calculate_gain(args.get("nonlinearity", "leaky_relu"), args.get("a", 0))
    except (TypeError, ValueError, ArithmeticError):
        return None
    return gain / math.sqrt(fan_in if args.get("mode", "fan_in") == "fan_in" else fan_out)


def is_off(ratio: float) -> bool:
    """Whether a std is off by more than the tolerance."""
    return not 1 / TOLERANCE <= ratio <= TOLERANCE


def miscounted(layer: Layer) -> float | None:
    """The present std divided by that of the same call with the layer's own fans, if that is off.

    None as well where the scale cannot matter, where the layer's own fans would not make the call
    right, where a stride is forgotten and the signal hardly fades, and within a factor of 2 where
    the present std is accepted, too, as one by fan_out is.
    """
    current = layer.current
    if current is None or current.default or not current.std or not layer.fan_in:
        return None
    # With a stride, only fan_in is right.
    fan_out = layer.fan_out or 0 if layer.spread == 1 else layer.fan_in
    wanted = std_with(current, layer.fan_in, fan_out)
    if not wanted or not is_off(current.std / wanted) or not matters(layer):
        return None
    ratio = current.std / wanted
    if layer.spread != 1 and not fades(layer):
        return None
    if suits(layer, current.std) and abs(math.log(ratio)) < math.log(_FAR) - _SAME:
        return None
    return ratio if suits(layer, wanted) else None


def stride_forgotten(layer: Layer) -> float | None:
    """The same of a std or bound by hand that forgets the stride, if the signal fades by it.

    For example `normal_(0, sqrt(2 / (k * k * out_channels)))`.
    """
    current = layer.current
    if current is None or layer.spread == 1 or not layer.fan_in or not in_question(layer):
        return None
    for fan in (layer.fan_in * layer.spread, layer.fan_out):
        gain = gain_by_hand(current, fan or 1)
        ratio = math.sqrt(layer.fan_in / fan) if fan else 1.0
        if gain and fades(layer) and is_off(ratio) and suits(layer, gain / math.sqrt(layer.fan_in)):
            return ratio
    return None


def fades(layer: Layer) -> bool:
    """Whether the run of a transposed convolution with a stride is off by more than it may be."""
    return fades_by(layer, STRIDED)


def matters(layer: Layer) -> bool:
    """Whether the scale of a layer's result matters to anything that comes after it."""
    return not layer.harmless or layer.harmless == _BEFORE


def gain_by_hand(current: Initializer, fan: float) -> float | None:
    """The gain with which a hand-written scale was computed from this fan; None if it was not."""
    if current.std is None:
        return None
    present = current.std * math.sqrt(fan)
    return next((g for g in _BY_HAND.get(current.name, ()) if abs(present / g - 1) < _SAME), None)


def is_computed(current: Initializer) -> bool:
    """Whether a scale has so many digits that nobody has chosen it, as 0.1 and 0.02 are chosen."""
    is_bound = current.name == "uniform_"
    scale = current.args.get("b" if is_bound else "std")
    if not isinstance(scale, (int, float)):
        return False
    return round(scale, 3) != scale or (is_bound and scale in _EXACT_ROOTS)


__all__ = [
    "described",
    "gain_by_hand",
    "is_computed",
    "is_off",
    "matters",
    "miscounted",
    "origin",
    "std_with",
    "stride_forgotten",
    "times",
]
