"""Layers that together lose the signal or the gradient."""

from initlint.judge import Layer, Problems, course

_LEAST = 0.01


def vanishing_signal(layer: Layer) -> Problems:
    """A run without normalisation that leaves a hundredth of the signal or of the gradient."""
    for whole in layer.wholes:
        if whole.kind == "run" and min(whole.forward, whole.backward) < _LEAST:
            yield layer, course(layer, whole, "INIT301")
