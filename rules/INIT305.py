"""A last layer whose results are so large that training starts with a confident error."""

import math

from initlint.judge import LOUD, Layer, Problems, called, first_loss

_SATURATING = ("sigmoid", "tanh")


def loud_logits(layer: Layer) -> Problems:
    """A model whose results, or what its own sigmoid gets, have a predicted rms above 4."""
    if layer.signal is None or layer.signal.result <= LOUD:
        return
    rms, bounded = layer.signal.result, layer.following.activation
    what = _loss(rms, layer)
    if bounded in _SATURATING:
        what = f", where {bounded} lets hardly any gradient through"
    yield (
        layer,
        f"{called(layer)} gives results of rms {rms:.3g}{what}; {1 / rms:.2g}× its std gives rms 1 "
        "(`initlint rule INIT305`)",
    )


def _loss(rms: float, layer: Layer) -> str:
    """What the first cross entropy is, if the results are the logits of several classes."""
    classes = layer.shape[0] if layer.shape and not layer.type.startswith("ConvT") else None
    if not classes or classes < 2:
        return ""
    loss = first_loss(rms, classes)
    return f": as {classes} logits, the first loss is {loss:.3g} instead of {math.log(classes):.2g}"
