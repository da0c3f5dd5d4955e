"""Whether the call that one layer needs suits the other layers that it would fill, too."""

from __future__ import annotations

import math

from initlint.recommend import TOLERANCE, accepted, only_sees_data, ratio, suits
from initlint.recommend.calls import call
from initlint.recommend.loud import LOUD
from initlint.records import Fan, Initializer, Layer

_BY_FAN = {"normal_", "trunc_normal_", "uniform_"}
# Where any scale is right, a new one is within this factor of ours, or nearer than the present.
_FREE = 2.0


def recipe(found: Initializer | None) -> str:
    """The call, which layers with other fans may share: scales are counted from the weight."""
    return call(found, "weight") if found else ""


def takes(layer: Layer, donor: Layer) -> bool:
    """Whether the initialiser recommended for `donor` is right for `layer`, too."""
    own, other = layer.recommended, donor.recommended
    if own is None or other is None or own.name != other.name:
        return False
    if _is_state(layer) != _is_state(donor) or (_is_state(layer) and layer.parts != donor.parts):
        return False
    if recipe(own) == recipe(other):
        return True
    # Such a draw is written as a factor over a fan of the tensor's own: the factor carries over.
    std = (other.std or 0.0) * math.sqrt(_counted(donor, other) / _counted(layer, other))
    return own.name in _BY_FAN and bool(accepted(layer)) and suits(layer, std)


def _is_state(layer: Layer) -> bool:
    """Whether a weight is recurrent: one of several gates is filled by itself, and by no gain."""
    return layer.recurrent == "state"


def _counted(layer: Layer, found: Initializer) -> float:
    """The fan that the std of a draw is computed from; 1 if the std is a number."""
    scales = [value.of for value in found.args.values() if isinstance(value, Fan)]
    return _fan(layer, scales[0]) if scales else 1


def _fan(layer: Layer, of: str) -> float:
    """A fan of the weight (in, out, or both for their mean) as torch.nn.init counts it."""
    window = math.prod(layer.shape[2:])
    into, out = layer.shape[1] * window, layer.shape[0] * window
    return max(1, {"in": into, "out": out, "both": (into + out) / 2}[of])


def has_wish(layer: Layer) -> bool:
    """Whether it matters how a layer is filled, and it is known how."""
    if layer.recommended is None:
        return False
    if _is_state(layer):
        return True
    if layer.signal is not None and layer.signal.result > LOUD:
        return True
    return not layer.harmless and (bool(accepted(layer)) or layer.recommended.name == "zeros_")


def suited_by(layer: Layer, donor: Layer, quiet: bool) -> bool:
    """Whether a layer may be filled by the call that `donor` needs, in place of its present one."""
    own = layer.recommended
    if own is None or (quiet and (_becomes_loud(layer, donor) or _stays_off(layer, donor))):
        return False
    if may_get(layer, donor):
        return True
    if _is_state(layer) or _is_state(donor):
        return False
    std = _given(layer, donor)
    if not std or not own.std:
        return False
    if accepted(layer):
        return suits(layer, std)
    present = layer.current.std if layer.current is not None else None
    best = max(math.log(_FREE), abs(math.log(present / own.std)) if present else 0.0)
    return abs(math.log(std / own.std)) <= best


def _becomes_loud(layer: Layer, donor: Layer) -> bool:
    """Whether a call makes a layer larger that is neither too small now nor harmless.

    These are the layer that sees the data and the head. Measured: the first and the last layers
    of an autoencoder and of a generator, made larger by a call that was corrected for the hidden
    ones (R² of 95 becomes 86, 86 becomes 81, in five seeds each).
    """
    present = layer.current.std if layer.current is not None else None
    is_free = not accepted(layer) or only_sees_data(layer)
    std = _given(layer, donor)
    matters = layer.head or not layer.harmless
    return bool(is_free and matters and present and std and std > TOLERANCE * present)


def _stays_off(layer: Layer, donor: Layer) -> bool:
    """Whether a layer with a wrong std would get one that is hardly nearer to the recommended.

    So it is with a transposed convolution of stride 2 that gets the call of a convolution.
    """
    own, present, std = layer.recommended, layer.current, _given(layer, donor)
    if not (own and own.std and present and present.std and std) or layer.harmless:
        return False
    if ratio(layer) in (None, 1.0):
        return False
    off = abs(math.log(present.std / own.std))
    return abs(math.log(std / own.std)) > max(math.log(TOLERANCE), off / 2)


def _given(layer: Layer, donor: Layer) -> float | None:
    """The std of a layer's weight if it is filled by the donor's call; None if not known."""
    found = donor.recommended
    if found is None or found.std is None or len(layer.shape) < 2 or len(donor.shape) < 2:
        return None
    kind = found.name.partition("_")[0]
    if kind not in ("kaiming", "xavier"):
        return found.std * math.sqrt(_counted(donor, found) / _counted(layer, found))
    of = "both" if kind == "xavier" else str(found.args.get("mode", "fan_in"))[4:]
    return found.std * math.sqrt(_fan(donor, of) / _fan(layer, of))


def may_get(layer: Layer, donor: Layer) -> bool:
    """Whether the call that `donor` needs is right for a layer, or its scale does not matter."""
    if takes(layer, donor):
        return True
    return not (_is_state(layer) or _is_state(donor)) and bool(layer.harmless and layer.recommended)
