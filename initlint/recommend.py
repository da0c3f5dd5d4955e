"""From a Layer to the initialiser that suits what follows it, and to the stds that are accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from initlint import catalog
from initlint.catalog import Activation
from initlint.records import Fan, Gain, Initializer, Layer

# A std within this factor of an accepted one is no finding (design, "Compared by effect").
TOLERANCE = 1.25


def with_recommendations(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers, each with its recommended initialiser where one can be justified."""
    return tuple(replace(layer, recommended=recommended(layer)) for layer in layers)


def recommended(layer: Layer) -> Initializer | None:
    """The initialiser that suits `layer`; None where what follows, or its fans, are not known.

    The std is gain/sqrt(fan_in) for Kaiming and normal, gain*sqrt(2/(fan_in+fan_out)) for Xavier,
    with the gain of `rules/activations.toml` for the following activation, and 0 for the last
    layer of a residual branch without normalisation (Zhang 2019).
    """
    activation = catalog.activations().get(layer.following.activation)
    if activation is None or not layer.fan_in or not layer.fan_out or _is_reparametrised(layer):
        return None
    if layer.branch == "last":
        reason = "the branch starts as the identity (Zhang 2019)"
        return Initializer("zeros_", {}, 0.0, reason=reason)
    gain = activation.recommended_gain(layer.following.args, first=_is_first(layer))
    std = gain * _unit(activation, layer)
    return _SCHEMES[activation.initializer](layer, activation, gain, std)


def accepted(layer: Layer) -> tuple[tuple[float, float], ...]:
    """Intervals of std that suit `layer`: the accepted gains with fan_in, fan_out or their mean.

    Empty where no gain is wrong (output, linear, gate, attention, softmax) or nothing is known.
    """
    activation = catalog.activations().get(layer.following.activation)
    if activation is None or activation.family == "unscaled" or not layer.fan_in:
        return ()
    low, high = activation.accepted(layer.following.args, first=_is_first(layer))
    fan_out = layer.fan_out or layer.fan_in
    fans = (layer.fan_in, fan_out, (layer.fan_in + fan_out) / 2)
    return tuple((low / math.sqrt(fan), high / math.sqrt(fan)) for fan in fans)


def suits(layer: Layer, std: float) -> bool:
    """Whether `std` lies within a factor 1.25 of a std that is accepted for `layer`.

    Before a saturating activation also between two of them: where few values come in and many go
    out, one fan finds too large what the other finds too small.
    """
    intervals = accepted(layer)
    if family(layer) == "saturating":
        intervals = ((min(low for low, _ in intervals), max(high for _, high in intervals)),)
    return not intervals or any(
        low / TOLERANCE <= std <= high * TOLERANCE for low, high in intervals
    )


def ratio(layer: Layer) -> float | None:
    """The present std against the nearest accepted one, 1 where it suits; None if not known."""
    if layer.current is None or layer.current.std is None or layer.recommended is None:
        return None
    std = layer.current.std
    if suits(layer, std):
        return 1.0
    activation = catalog.activations()[layer.following.activation]
    low, high = activation.accepted(layer.following.args, first=_is_first(layer))
    unit = _unit(activation, layer)
    return std / min(max(std, low * unit), high * unit)


def family(layer: Layer) -> str:
    """The family of the following activation: rectifier, saturating, smooth or unscaled."""
    activation = catalog.activations().get(layer.following.activation)
    return activation.family if activation else ""


def _is_first(layer: Layer) -> bool:
    """The model's first layer sees data, not an activation."""
    return layer.before is None and layer.origin == "input"


def _is_reparametrised(layer: Layer) -> bool:
    return layer.harmless.startswith("the weight is reparametrised")


def _unit(activation: Activation, layer: Layer) -> float:
    """The std that the activation's initialiser gives with gain 1."""
    fan_in, fan_out = layer.fan_in or 1, layer.fan_out or layer.fan_in or 1
    if activation.initializer.startswith("xavier"):
        return math.sqrt(2 / (fan_in + fan_out))
    return 1 / math.sqrt(fan_in)


def _torch_fans(layer: Layer) -> tuple[int, int]:
    """fan_in and fan_out as torch.nn.init counts them from the shape alone."""
    window = math.prod(layer.shape[2:])
    return layer.shape[1] * window, layer.shape[0] * window


def _kaiming(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer:
    mode = _mode(layer)
    if mode is None:
        return _normal(layer, activation, gain, std)
    args: dict[str, Any] = {"mode": mode, "nonlinearity": activation.nonlinearity}
    if activation.nonlinearity == "leaky_relu":
        slope = math.sqrt(max(0.0, 2 / gain**2 - 1))
        args = {"a": round(slope, 4), **args}
    return Initializer("kaiming_normal_", args, std, reason=activation.source)


def _mode(layer: Layer) -> str | None:
    """The mode under which torch counts this layer's true fan_in; None if under neither.

    Transposed convolutions and `x @ w` have in and out the other way round than torch assumes.
    """
    fans = _torch_fans(layer)
    if layer.fan_in == fans[0]:
        return "fan_in"
    return "fan_out" if layer.fan_in == fans[1] else None


def _xavier(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer:
    if sum(_torch_fans(layer)) != (layer.fan_in or 0) + (layer.fan_out or 0):
        return _normal(layer, activation, gain, std)
    tanh = Gain("tanh", gain) if math.isclose(gain, 5 / 3) else gain
    args = {} if gain == 1 else {"gain": tanh}
    return Initializer("xavier_normal_", args, std, reason=activation.source)


def _normal(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer:
    """A normal draw whose std is counted from the tensor, where torch has no scheme for it."""
    mode = None if activation.initializer.startswith("xavier") else _mode(layer)
    scale = std if mode is None else Fan(gain, mode.removeprefix("fan_"), std)
    return Initializer("normal_", {"std": scale}, std, reason=activation.source)


_SCHEMES = {"kaiming_normal_": _kaiming, "xavier_normal_": _xavier, "normal_": _normal}
