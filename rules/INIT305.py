"""A last layer whose results are so large that training starts with a confident error."""

import math

from initlint.judge import LOUD, Layer, Problems, called, first_loss

_SATURATING = ("sigmoid", "tanh")


def loud_logits(layer: Layer) -> Problems:
    """A model whose results, or what its own sigmoid gets, have a predicted rms above 4."""
    if layer.signal is None or layer.signal.result <= LOUD:
        return
    rms, bounded = layer.signal.result, layer.following.activation
    what = f"of rms {rms:.3g}{_loss(rms, layer)}"
    if layer.nominal:
        what = "whose rms grows with √width"
    elif bounded in _SATURATING:
        what = f"of rms {rms:.3g}, where {bounded} lets hardly any gradient through"
    yield (
        layer,
        f"{called(layer)} gives results {what}; {_wanted(rms, layer)} gives rms 1 "
        "(`initlint rule INIT305`)",
    )


def _wanted(rms: float, layer: Layer) -> str:
    """The std that makes the results of rms 1, by the width if no size is known."""
    current = layer.current
    if current is None or current.std is None or current.mean or not layer.shape:
        return f"{1 / rms:.2g}× its std"
    if layer.nominal:
        width = layer.fan_in or layer.shape[-1]
        return f"a std of {current.std / rms * math.sqrt(width):.2g}/√width"
    return f"a std of {current.std / rms:.3g}"


def _loss(rms: float, layer: Layer) -> str:
    """What the first cross entropy is, if the results are the logits of several classes."""
    classes = layer.shape[0] if layer.shape and not layer.type.startswith("ConvT") else None
    if not classes or classes < 2:
        return ""
    loss = first_loss(rms, classes)
    # A token's own row answers it louder than the others.
    least = " or more" if layer.type == "Embedding" else ""
    fair = math.log(classes)
    return f": as {classes} logits, the first loss is {loss:.3g}{least} instead of {fair:.2g}"
