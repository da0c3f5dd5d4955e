"""Xavier initialisation before ReLU, LeakyReLU or a similar activation."""

from initlint.judge import Layer, Problems, family, scheme, unsuited


def xavier_before_rectifier(layer: Layer) -> Problems:
    """Xavier before a rectifier, which sets half of the signal to zero."""
    if family(layer) == "rectifier" and scheme(layer) == "xavier":
        yield from unsuited(layer, "INIT102")
