"""Transposed convolutions whose fans are counted the wrong way round."""

from initlint.judge import Layer, Problems
from initlint.judge.geometry import described, miscounted, origin, stride_forgotten, times
from initlint.recommend import suits


def transposed_fan(layer: Layer) -> Problems:
    """A scheme, or a scale computed by hand, that takes in for out, or leaves out the stride."""
    current = layer.current
    if not layer.type.startswith("ConvTranspose") or layer.head or current is None:
        return
    if current.args.get("mode") == "fan_out" and suits(layer, current.std or 0.0):
        # What torch calls fan_out is the fan_in of such a layer, but for its stride.
        return
    if layer.uneven:
        return
    ratio = miscounted(layer) or stride_forgotten(layer)
    if ratio is not None:
        fans = f"fan_in {layer.fan_in:g} and fan_out {layer.fan_out:g}"
        yield (
            layer,
            f"{described(layer)} has {'fans of its own' if layer.nominal else fans}, but "
            f"{origin(current)} counts them as a convolution's: {times(ratio)} the std",
        )
