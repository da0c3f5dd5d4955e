"""The recommended initialiser of a Layer, and the stds that are accepted for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from initlint.records import Fan, Gain, Initializer, Layer
from initlint.torchlib import catalog
from initlint.torchlib.catalog import Activation

# A std within this factor of an accepted one is no finding (design, "Compared by effect").
TOLERANCE = 1.25
# The gain of PyTorch's default.
_DEFAULT_GAIN = 1 / math.sqrt(3)
# A mean below this share of the std is rounding. An identity's is no bias: it moves nothing.
_LEAST_MEAN = 0.01
_IDENTITIES = ("eye_", "dirac_")


def with_recommendations(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers, each with its recommended initialiser where one can be justified."""
    found = [(layer, recommended(layer)) for layer in layers]
    return tuple([layer if r is None else replace(layer, recommended=r) for layer, r in found])


def recommended(layer: Layer) -> Initializer | None:
    """The recommended initialiser of `layer`.

    None if the following activation or the fans are not known, and for reparametrised weights,
    for which the activation's gain is not the right rule. Recurrent weights are orthogonal.

    The std is gain/sqrt(fan_in) for Kaiming and normal, gain*sqrt(2/(fan_in+fan_out)) for Xavier,
    with the gain of `rules/activations.toml` for the following activation, and 0 for the last
    layer of a residual branch without normalisation (Zhang 2019).
    """
    if layer.recurrent == "state":
        return _orthogonal(layer)
    activation = catalog.activations().get(layer.following.activation)
    if activation is None or not layer.fan_in or not layer.fan_out or _has_no_gain(layer):
        return None
    if layer.branch == "last":
        reason = "the branch starts as the identity (Zhang 2019)"
        return Initializer("zeros_", {}, 0.0, reason=reason)
    if layer.recurrent == "input":
        # Its result is added to that of the recurrent weight, which is about as strong.
        return _xavier(layer, activation, 1.0, _xavier_unit(layer))
    gain = _wanted_gain(layer, activation)
    std = gain * _unit(activation, layer)
    return _SCHEMES[activation.initializer](layer, activation, gain, std)


def accepted(layer: Layer) -> tuple[tuple[float, float], ...]:
    """The accepted intervals of std: the accepted gains with fan_in, fan_out or their mean.

    Empty if any gain is right (output, linear, gate, attention, softmax) or nothing is known.
    """
    activation = catalog.activations().get(layer.following.activation)
    if activation is None or not layer.fan_in:
        return ()
    if is_biased_head(layer):
        one = 1 / math.sqrt(layer.fan_in)
        return ((one, one),)
    if activation.family == "unscaled":
        return ()
    if is_own_output(layer) or _has_no_gain(layer):
        return ()
    low, high = _gains(layer, activation)
    return tuple((low / math.sqrt(fan), high / math.sqrt(fan)) for fan in _fans(layer).values())


def _fans(layer: Layer) -> dict[str, float]:
    """The fans by which a std may be computed.

    With a stride, only the fan_in of a transposed convolution will do: by fan_out, the signal is
    divided by the root of `spread` in every layer, and no other layer multiplies it again.
    """
    fan_in = layer.fan_in or 1
    if layer.spread != 1:
        return {"fan_in": fan_in}
    fan_out = layer.fan_out or fan_in
    return {"fan_in": fan_in, "fan_out": fan_out, "both": (fan_in + fan_out) / 2}


def suits(layer: Layer, std: float) -> bool:
    """Whether `std` is within a factor of 1.25 of an accepted std of `layer`.

    Before a saturating activation, a std between two accepted ones is accepted, too: with few
    inputs and many outputs, it is too large for one fan and too small for the other.
    """
    intervals = accepted(layer)
    if intervals and family(layer) == "saturating":
        intervals = ((min(low for low, _ in intervals), max(high for _, high in intervals)),)
    return not intervals or any(
        low / TOLERANCE <= std <= high * TOLERANCE for low, high in intervals
    )


def ratio(layer: Layer) -> float | None:
    """The present std divided by the nearest accepted one; 1 if accepted, None if not known.

    A scheme is judged by the fan that it counts: PyTorch's default by fan_in, Kaiming by that of
    its mode, Xavier by the mean of both, or by fan_in if it is right for that. A std that someone
    wrote suits if it is right for any.
    """
    if layer.current is None or layer.current.std is None or layer.recommended is None:
        return None
    if layer.recurrent == "state" or is_undecided(layer):
        return None
    scale = magnitude(layer.current)
    if layer.current.default and (layer.recurrent == "input" or _is_left_alone(layer)):
        return 1.0
    activation = catalog.activations()[layer.following.activation]
    low, high = _gains(layer, activation)
    fan = _fans(layer).get(_direction(layer, layer.current))
    if not accepted(layer) or (fan is None and suits(layer, scale)):
        return 1.0
    unit = _unit(activation, layer) if fan is None else 1 / math.sqrt(fan)
    is_close = low * unit / TOLERANCE <= scale <= high * unit * TOLERANCE
    if fan is not None and layer.current.name.startswith("xavier"):
        one = 1 / math.sqrt(layer.fan_in or 1)
        is_close = is_close or low * one / TOLERANCE <= scale <= high * one * TOLERANCE
    # With few inputs and many outputs, a std may be too large for one fan and too small for the
    # other; between them a saturating activation is content.
    if is_close or (family(layer) == "saturating" and suits(layer, scale)):
        return 1.0
    return scale / min(max(scale, low * unit), high * unit)


def is_undecided(layer: Layer) -> bool:
    """Whether the std that a layer needs counts two sizes of which only the names are known."""
    activation = catalog.activations().get(layer.following.activation)
    is_xavier = activation is not None and activation.initializer.startswith("xavier")
    return layer.uneven and (is_xavier or layer.recurrent == "input")


def remedy(layer: Layer) -> float:
    """The factor that the std of a layer needs to be as recommended; 1 where it is accepted.

    It is counted by the fan that `ratio` compares by. Of several accepted gains, the recommended
    one is meant: before tanh, gain 1 is accepted and 5/3 is written.
    """
    value = ratio(layer)
    if value is None or value in (0.0, 1.0):
        return 1.0
    activation = catalog.activations()[layer.following.activation]
    low, high = _gains(layer, activation)
    wanted = _wanted_gain(layer, activation)
    return wanted / (low if value < 1 else high) / value


def only_sees_data(layer: Layer) -> bool:
    """Whether a layer's scale is accepted because it sees the data, and only for that."""
    if not sees_data(layer) or ratio(layer) != 1.0 or layer.current is None:
        return False
    inner = replace(layer, before="another")
    return layer.recurrent != "input" and ratio(inner) != 1.0


def _direction(layer: Layer, current: Initializer) -> str:
    """The fan that the present initialiser counts, or has to; empty for one that counts none.

    Kaiming's fan_out is fan_in for transposed convolutions and `x @ w`, but for the stride, with
    which every scheme is judged by fan_in.
    """
    if current.default or has_mean(current) or layer.spread != 1:
        # A mean adds up over all inputs.
        return "fan_in"
    if current.name.startswith("kaiming"):
        mode = str(current.args.get("mode", "fan_in"))
        counted = _mode(layer)
        if counted is None:
            return mode
        return "fan_in" if mode == counted else "fan_out"
    return "both" if current.name.startswith("xavier") else ""


def magnitude(current: Initializer) -> float:
    """The root mean square of the values: the std, where their mean is zero."""
    return math.hypot(current.std or 0.0, current.mean if has_mean(current) else 0.0)


def has_mean(current: Initializer) -> bool:
    """Whether the values have a mean other than zero, which adds up over all inputs."""
    least = _LEAST_MEAN * (current.std or 0.0)
    return abs(current.mean) > least and current.name not in _IDENTITIES


def is_own_output(layer: Layer) -> bool:
    """Whether an activation makes the model's own output, like a sigmoid left to the loss.

    A rectifier on a single unit makes one, too: a quantity, as the density of a radiance field.
    (Kaiming there: held-out loss 0.027 instead of 0.023 in five seeds.)
    """
    if not layer.head:
        return False
    is_quantity = layer.shape[:1] == (1,) and not layer.nominal
    return family(layer) == "saturating" or (family(layer) == "rectifier" and is_quantity)


_RESULTS = ("output", "softmax", "log_softmax", "sigmoid", "tanh")


def is_biased_head(layer: Layer) -> bool:
    """Whether a layer that gives the model's result has a mean, which adds up over all inputs.

    So all its results are nearly the same, and large: `nn.init.uniform_` draws from [0, 1). A
    constant is chosen on purpose.
    """
    current, is_result = layer.current, layer.following.activation in _RESULTS
    return (
        layer.head and is_result and current is not None and has_mean(current) and current.std != 0
    )


def times(factor: float) -> str:
    """A factor as messages show it: 0.41×, 0.0003×, 12×."""
    return f"{factor:.2f}×" if 0.1 <= factor < 10 else f"{factor:.2g}×"


def family(layer: Layer) -> str:
    """The family of the following activation: rectifier, saturating, smooth or unscaled."""
    activation = catalog.activations().get(layer.following.activation)
    return activation.family if activation else ""


def sees_data(layer: Layer) -> bool:
    """Whether a layer sees the model's own input, or a value whose scale is not known either."""
    return layer.before is None and layer.origin != "norm"


def weakens(layer: Layer) -> bool:
    """Whether a first layer at PyTorch's default weakens the signal of all layers behind it.

    GELU, SiLU, Mish and hardswish pass a weak signal as about x/2. So with layers behind it that
    need another scale, it gets the gain 1: of 40 such nets 5 become better by that and none worse
    (docs/trains.md, "The first layer before GELU").
    """
    activation = catalog.activations().get(layer.following.activation)
    if activation is None or activation.family != "smooth" or not activation.formula:
        return False
    if layer.current is None or not layer.current.default or not _is_first(layer):
        return False
    function = activation.function(layer.following.args)
    slope = (function(_WEAK) - function(-_WEAK)) / (2 * _WEAK)
    return abs(function(0.0)) < _WEAK and slope < _HALF


# A weak signal, and the slope at it of an activation that passes about half of it.
_WEAK, _HALF = 0.01, 0.7


def _is_left_alone(layer: Layer) -> bool:
    """Whether a layer sees the data, and nothing behind it asks for another scale."""
    return sees_data(layer) and not (layer.signal is not None and weakens(layer))


def _is_first(layer: Layer) -> bool:
    """The model's first layer sees data, not an activation."""
    return layer.before is None and layer.origin == "input"


def _wanted_gain(layer: Layer, activation: Activation) -> float:
    """The gain to initialise with."""
    return activation.recommended_gain(layer.following.args, _is_first(layer), layer.fan_in or 1)


def _orthogonal(layer: Layer) -> Initializer | None:
    """Orthogonal matrices, one for each gate, which keep the state's norm (Saxe 2014).

    None for those that are not square, and for states that no saturating activation bounds: all of
    torch's own have a choice of gates or of tanh, or are documented as rectified.
    """
    known = {layer.following.activation, *layer.following.args.get("activations", ())} - {"mixed"}
    families = {found.family for name in known if (found := catalog.activations().get(name))}
    is_bounded = families == {"saturating"} or layer.type.startswith(("RNN", "LSTM", "GRU"))
    if not is_bounded or len(layer.shape) != 2 or layer.harmless.startswith(_REPARAMETRISED):
        return None
    rows, columns = layer.shape
    # Sizes that are not known are 0.
    if not columns or rows != columns * layer.parts:
        return None
    reason = "an orthogonal matrix keeps the state's norm (Saxe 2014)"
    return Initializer("orthogonal_", {}, 1 / math.sqrt(columns), reason=reason)


_REPARAMETRISED = "the weight is reparametrised"


def _has_no_gain(layer: Layer) -> bool:
    return layer.recurrent == "state" or layer.harmless.startswith(_REPARAMETRISED)


def _gains(layer: Layer, activation: Activation) -> tuple[float, float]:
    """The lowest and the highest accepted gain of `layer`."""
    is_first = _is_first(layer)
    low, high = activation.accepted(layer.following.args, is_first, layer.fan_in or 1)
    if layer.before is None and layer.origin == "unknown":
        # A part that unknown code calls, as with the weights of a hypernetwork: it may see data.
        lowest, highest = activation.accepted(layer.following.args, True, layer.fan_in or 1)
        low, high = min(low, lowest), max(high, highest)
    # Dropout multiplies E[x²] by 1/(1 - p) in training: the gain that keeps it is smaller by the
    # root (Hendrycks and Gimpel 2016, arXiv 1607.02488). That of the activation suits as well.
    low *= math.sqrt(1 - layer.dropped)
    if _is_left_alone(layer):
        # It sees data, whose scale nobody knows, and its factor does not compound.
        low = min(low, _DEFAULT_GAIN)
    return (min(1.0, low), high) if layer.recurrent == "input" else (low, high)


def _unit(activation: Activation, layer: Layer) -> float:
    """The std that the activation's initialiser gives with gain 1."""
    if activation.initializer.startswith("xavier"):
        return _xavier_unit(layer)
    return 1 / math.sqrt(layer.fan_in or 1)


def _xavier_unit(layer: Layer) -> float:
    fan_in, fan_out = layer.fan_in or 1, layer.fan_out or layer.fan_in or 1
    return math.sqrt(2 / (fan_in + fan_out))


def _torch_fans(layer: Layer) -> tuple[int, int]:
    """fan_in and fan_out as torch.nn.init counts them from the shape alone."""
    window = math.prod(layer.shape[2:])
    return layer.shape[1] * window, layer.shape[0] * window


def _kaiming(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer | None:
    mode = _mode(layer)
    if mode is None or layer.spread != 1:
        return _normal(layer, activation, gain, std)
    args: dict[str, Any] = {"mode": mode, "nonlinearity": activation.nonlinearity}
    if activation.nonlinearity == "leaky_relu":
        slope = math.sqrt(max(0.0, 2 / gain**2 - 1))
        args = {"a": round(slope, 4), **args}
    return Initializer("kaiming_normal_", args, std, reason=activation.source)


def _mode(layer: Layer) -> str | None:
    """The mode under which torch counts this layer's fan_in, but for its stride; None if neither.

    Transposed convolutions and `x @ w` have in and out the other way round than torch assumes.
    """
    fans, fan_in = _torch_fans(layer), round((layer.fan_in or 0) * layer.spread)
    if fan_in == fans[0]:
        return "fan_in"
    return "fan_out" if fan_in == fans[1] else None


def _xavier(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer | None:
    if sum(_torch_fans(layer)) != (layer.fan_in or 0) + (layer.fan_out or 0):
        return _number(layer, activation, std)
    tanh = Gain("tanh", gain) if math.isclose(gain, 5 / 3) else gain
    args = {} if gain == 1 else {"gain": tanh}
    return Initializer("xavier_normal_", args, std, reason=activation.source)


def _normal(layer: Layer, activation: Activation, gain: float, std: float) -> Initializer | None:
    """A normal draw whose std is computed from the tensor's fan, if torch has no scheme for it.

    With a stride, each element of a transposed convolution's result uses only 1/`spread` of the
    taps, so the gain is multiplied by the root of `spread`.
    """
    mode = _mode(layer)
    if mode is None:
        return _number(layer, activation, std)
    scale = Fan(gain * math.sqrt(layer.spread), mode.removeprefix("fan_"), std)
    return Initializer("normal_", {"std": scale}, std, reason=activation.source)


def _number(layer: Layer, activation: Activation, std: float) -> Initializer | None:
    """A normal draw with a number as its std; None if the sizes are only symbols."""
    if layer.nominal:
        return None
    return Initializer("normal_", {"std": std}, std, reason=activation.source)


_SCHEMES = {"kaiming_normal_": _kaiming, "xavier_normal_": _xavier, "normal_": _normal}
