"""The recommended initialiser as someone prefers it: another distribution, or the other fan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.records import Fan, Gain, Initializer, Layer, Preferences

_OTHER = {"fan_in": "fan_out", "fan_out": "fan_in", "in": "out", "out": "in"}


def preferred(layers: Sequence[Layer], wanted: Preferences) -> tuple[Layer, ...]:
    """The layers, each with its recommended initialiser in the `wanted` form."""
    return tuple([_preferred(layer, wanted) for layer in layers])


def _preferred(layer: Layer, wanted: Preferences) -> Layer:
    if layer.recommended is None:
        return layer
    varied = _varied(layer, layer.recommended, wanted)
    return layer if varied is layer.recommended else replace(layer, recommended=varied)


def _varied(layer: Layer, found: Initializer, wanted: Preferences) -> Initializer:
    """The initialiser with the preferred mode, then with the preferred distribution."""
    if wanted.mode == "fan_out":
        found = _of_other_fan(layer, found)
    vary = {"uniform": _uniform, "trunc_normal": _truncated, "orthogonal": _orthogonal}
    is_fixed = found.name == "zeros_" or layer.recurrent == "state"
    if wanted.distribution not in vary or is_fixed or found.std is None:
        return found
    return vary[wanted.distribution](layer, found)


def _of_other_fan(layer: Layer, found: Initializer) -> Initializer:
    """Counted by what leaves the layer; Xavier counts both already, and a number says no fan.

    Only where torch counts the true fan_out: of grouped layers it counts all groups together.
    """
    if found.std is None or not layer.fan_in or not layer.fan_out or not _counts_both(layer):
        return found
    std = found.std * math.sqrt(layer.fan_in / layer.fan_out)
    mode, scale = found.args.get("mode"), found.args.get("std")
    if mode:
        return replace(found, args={**found.args, "mode": _OTHER[mode]}, std=std)
    if isinstance(scale, Fan) and scale.of in _OTHER:
        return replace(found, args={"std": Fan(scale.gain, _OTHER[scale.of], std)}, std=std)
    return found


def _counts_both(layer: Layer) -> bool:
    window = math.prod(layer.shape[2:])
    counted = {layer.shape[0] * window, layer.shape[1] * window} if len(layer.shape) > 1 else set()
    return counted == {layer.fan_in, layer.fan_out}


def _uniform(layer: Layer, found: Initializer) -> Initializer:
    if found.name != "normal_":
        return replace(found, name=found.name.replace("normal", "uniform"))
    args = {"a": _scale(-math.sqrt(3), found), "b": _scale(math.sqrt(3), found)}
    return replace(found, name="uniform_", args=args)


def _truncated(layer: Layer, found: Initializer) -> Initializer:
    """torch cuts at -2 and 2 whatever the std is, which few layers are small enough to notice."""
    std = _cut(found.std or 0.0)
    return replace(found, name="trunc_normal_", args={"std": _scale(1.0, found)}, std=std)


def _cut(std: float) -> float:
    """The std of a standard normal variable cut off at -2 and 2."""
    if not std:
        return 0.0
    cut = 2 / std
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return std * math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))


def _orthogonal(layer: Layer, found: Initializer) -> Initializer:
    """Orthogonal with the same std; a stack of matrices or a vector has no such initialiser.

    An orthogonal matrix of `rows` and `columns` has the std 1/sqrt(max(rows, columns)).
    """
    if len(layer.shape) < 2 or layer.nominal:
        return found
    rows, columns = layer.shape[0], math.prod(layer.shape[1:])
    gain = (found.std or 0.0) * math.sqrt(max(rows, columns))
    if math.isclose(gain, 1):
        return replace(found, name="orthogonal_", args={})
    return replace(found, name="orthogonal_", args={"gain": _named(gain, found.args)})


def _named(gain: float, args: Mapping[str, Any]) -> Gain | float:
    """The gain as people write it, where it is one of torch's own."""
    if math.isclose(gain, math.sqrt(2)) and args.get("nonlinearity") == "relu":
        return Gain("relu", gain)
    return Gain("tanh", gain) if math.isclose(gain, 5 / 3) else gain


def _scale(factor: float, found: Initializer) -> Fan | float:
    """A factor times the std, counted from the tensor wherever the std itself can be."""
    std, scale = factor * (found.std or 0.0), found.args.get("std")
    if found.name == "normal_":
        return Fan(factor * scale.gain, scale.of, std) if isinstance(scale, Fan) else std
    if found.name == "xavier_normal_":
        gain = found.args.get("gain", 1.0)
        return Fan(factor * (gain.value if isinstance(gain, Gain) else gain), "both", std)
    return Fan(factor * _kaiming_gain(found.args), found.args["mode"].removeprefix("fan_"), std)


def _kaiming_gain(args: Mapping[str, Any]) -> float:
    if args["nonlinearity"] == "linear":
        return 1.0
    return math.sqrt(2 / (1 + args.get("a", 0.0) ** 2))
