"""Layers that together blow up the signal or the gradient."""

from initlint.judge import Layer, Problems, course

_MOST, _LEAST = 100.0, 0.01


def exploding_signal(layer: Layer) -> Problems:
    """A run without normalisation that multiplies the signal or the gradient by a hundred."""
    for whole in layer.wholes:
        furthest = max(whole.forward, whole.backward)
        if whole.kind == "run" and furthest > _MOST and min(whole.forward, whole.backward) > _LEAST:
            yield layer, course(layer, whole, "INIT302")
