"""The default, or another activation's scheme, before GELU, SiLU, ELU, SELU and the like."""

from initlint.judge import Layer, Problems, family, scheme, unsuited


def unsuited_before_smooth(layer: Layer) -> Problems:
    """A std without the gain of the smooth activation that follows."""
    if family(layer) == "smooth" and scheme(layer) in ("default", "xavier", "kaiming"):
        yield from unsuited(layer, "INIT105")
