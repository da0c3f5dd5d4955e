"""Several matrices in one tensor, of which torch counts the fans as those of a convolution."""

from initlint.judge import Layer, Problems
from initlint.judge.geometry import described, is_off, matters, origin, std_with, times


def stacked_fan(layer: Layer) -> Problems:
    """A matrix product with a tensor of three dimensions that a scheme fills by its fans."""
    current = layer.current
    if not layer.stacked or not layer.fan_in or not layer.fan_out or not matters(layer):
        return
    if current is None or current.default or not current.std:
        return
    wanted = std_with(current, layer.fan_in, layer.fan_out)
    if wanted and is_off(current.std / wanted):
        size = "" if layer.nominal else f": {times(current.std / wanted)} the std"
        fans = "" if layer.nominal else f" of fan_in {layer.fan_in:g} and fan_out {layer.fan_out:g}"
        yield (
            layer,
            f"{described(layer)} is multiplied as matrices{fans}, but {origin(current)} counts "
            f"it as a kernel{size}",
        )
