"""The default, Kaiming or a wrong gain before tanh, sigmoid or a similar activation."""

from initlint.judge import Layer, Problems, family, scheme, unsuited


def unsuited_before_saturating(layer: Layer) -> Problems:
    """A std that lets the signal fade or saturate the activation."""
    if family(layer) == "saturating" and scheme(layer) in ("default", "xavier", "kaiming"):
        yield from unsuited(layer, "INIT103")
