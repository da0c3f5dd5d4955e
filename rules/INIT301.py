"""Layers that together lose the signal or the gradient, or that add nothing to their stream."""

from initlint.judge import Layer, Problems, course, faintness

_LEAST = 0.01


def vanishing_signal(layer: Layer) -> Problems:
    """A run without normalisation that keeps a hundredth, or branches whose share is as small."""
    for whole in layer.wholes:
        if whole.kind == "run" and min(whole.forward, whole.backward) < _LEAST:
            yield layer, course(layer, whole, "INIT301")
        if whole.kind in ("faint", "narrow"):
            yield layer, faintness(layer, whole, "INIT301")
