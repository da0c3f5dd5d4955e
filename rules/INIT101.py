"""PyTorch's default initialisation before ReLU, LeakyReLU or a similar activation."""

from initlint.judge import Layer, Problems, family, scheme, unsuited


def default_before_rectifier(layer: Layer) -> Problems:
    """PyTorch's default before a rectifier, which needs a larger std."""
    if family(layer) == "rectifier" and scheme(layer) == "default":
        yield from unsuited(layer, "INIT101")
