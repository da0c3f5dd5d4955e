"""Hidden units that all start as the same function, because their weights are one number."""

import math

from initlint.judge import Layer, Model, Problems, family
from initlint.judge.geometry import described, origin
from initlint.judge.zeros import has_own_bias, has_zero_bias, is_frozen, number_in

_NONLINEAR = ("rectifier", "saturating", "smooth")
_CELLS = ("RNN", "LSTM", "GRU")
# Activations that pass no gradient at 0, and those that are 0 there.
_DEAD = ("relu", "relu6", "threshold")
_ZERO = (*_DEAD, "leaky_relu", "prelu", "rrelu", "tanh", "softsign", "gelu", "silu", "mish", "elu")


def symmetric_weights(layer: Layer, model: Model) -> Problems:
    """A weight that is one number, with a nonlinearity and another layer behind it."""
    value = number_in(layer)
    is_found = value is not None and (_is_hidden(layer) or _is_cell(layer, model))
    if value is None or not is_found or is_frozen(layer, model) or has_own_bias(layer, model):
        return
    count = _units(layer)
    if count < 2 or layer.current is None:
        return
    said = f"{origin(layer.current)} makes all weights of {described(layer)} {value:g}"
    if value == 0 and _is_dead(layer, model):
        yield layer, f"{said}, before {layer.following.activation}: no gradient reaches it"
    elif value or _is_followed_by_constant(layer, model):
        yield layer, f"{said}: its {_shown(layer, count)} hidden units start as copies of one"


def _is_hidden(layer: Layer) -> bool:
    """Whether a nonlinearity and another weighted operation follow, and nothing is added."""
    if layer.head or layer.recurrent or layer.branch == "last":
        return False
    if layer.harmless.startswith(("the weight is reparametrised", "it only scales")):
        return False
    return family(layer) in _NONLINEAR and "residual" not in layer.following.via


def _is_cell(layer: Layer, model: Model) -> bool:
    """Whether it is the first weight of a recurrent layer, and the second is constant, too."""
    other = layer.parameter.replace("weight_ih", "weight_hh")
    if layer.type.removesuffix("Cell") not in _CELLS or other == layer.parameter:
        return False
    found = model.layer(other)
    return found is not None and number_in(found) is not None


def _units(layer: Layer) -> int:
    """The number of outputs that see the same inputs: of one group of a convolution."""
    if not layer.fan_out:
        return 0
    window = 1 if layer.stacked else math.prod(layer.shape[2:])
    return round(layer.fan_out / (window or 1) / layer.parts)


def _shown(layer: Layer, count: int) -> str:
    return "" if layer.nominal else f"{count}"


def _is_dead(layer: Layer, model: Model) -> bool:
    """Whether zeros pass no gradient: the activation has none at 0, or the next layer is zero."""
    if "norm" in layer.following.via or not has_zero_bias(layer, model):
        return False
    if layer.following.activation in _DEAD:
        return True
    after = model.layer(layer.after)
    is_zero = after is not None and number_in(after) == 0
    return is_zero and layer.following.activation in _ZERO


def _is_followed_by_constant(layer: Layer, model: Model) -> bool:
    """Whether the gradient of all units is the same, too, as all weights of the next layer are."""
    after = model.layer(layer.after)
    is_constant = after is not None and number_in(after) is not None
    return is_constant and has_zero_bias(layer, model)
