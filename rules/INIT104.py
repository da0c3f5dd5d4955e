"""A Kaiming call whose slope or nonlinearity is not that of the following activation."""

from initlint.judge import Layer, Problems, family, scheme, unsuited


def wrong_negative_slope(layer: Layer) -> Problems:
    """Kaiming with another activation's gain before a rectifier."""
    if family(layer) == "rectifier" and scheme(layer) == "kaiming":
        yield from unsuited(layer, "INIT104")
