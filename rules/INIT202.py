"""Grouped convolutions whose fans are counted over all groups."""

import math

from initlint.judge import Layer, Problems
from initlint.judge.geometry import (
    described,
    gain_by_hand,
    is_computed,
    matters,
    miscounted,
    origin,
    times,
)


def grouped_fan(layer: Layer) -> Problems:
    """A scheme, or a scale written by hand, that counts the outputs or inputs of all groups."""
    groups = _groups(layer)
    if groups < 2 or layer.current is None:
        return
    ratio = miscounted(layer) if not layer.nominal else None
    if ratio is None and _is_by_hand(layer, groups):
        ratio = 1 / math.sqrt(groups)
    if ratio is not None:
        yield (
            layer,
            f"{described(layer)} has {groups} groups with fan_in {layer.fan_in:g} and fan_out "
            f"{layer.fan_out:g} each, but {origin(layer.current)} counts them together: "
            f"{times(ratio)} the std",
        )


def _groups(layer: Layer) -> int:
    """The number of groups of a convolution that is not transposed."""
    if len(layer.shape) < 3 or layer.stacked or not layer.fan_out or "Transpose" in layer.type:
        return 1
    return round(layer.shape[0] * math.prod(layer.shape[2:]) / layer.fan_out)


def _is_by_hand(layer: Layer, groups: int) -> bool:
    """Whether a scale was computed from a fan of all groups, and from none of a single group."""
    current = layer.current
    if current is None or not layer.fan_in or not layer.fan_out or not matters(layer):
        return False
    fans = (layer.fan_in, layer.fan_out)
    if layer.nominal or not is_computed(current) or any(gain_by_hand(current, fan) for fan in fans):
        return False
    return any(gain_by_hand(current, fan * groups) for fan in fans)
