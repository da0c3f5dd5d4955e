"""A last layer whose results are so large that training starts with a confident error."""

from initlint.judge import LOUD, Layer, Problems, called

_SATURATING = ("sigmoid", "tanh")


def loud_logits(layer: Layer) -> Problems:
    """A model whose results, or what its own sigmoid gets, have a predicted rms above 4."""
    if layer.signal is None or layer.signal.result <= LOUD:
        return
    rms, bounded = layer.signal.result, layer.following.activation
    what = f": as logits, the first loss is {rms * rms / 2:.3g} above ln(classes)"
    if bounded in _SATURATING:
        what = f", where {bounded} lets hardly any gradient through"
    yield (
        layer,
        f"{called(layer)} gives results of rms {rms:.3g}{what}; {1 / rms:.2g}× its std gives rms 1 "
        "(`initlint rule INIT305`)",
    )
