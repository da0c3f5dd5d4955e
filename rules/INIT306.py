"""Tokens that attention can hardly tell apart."""

from initlint.judge import Layer, Problems, drowned


def tokens_collapse(layer: Layer) -> Problems:
    """A table whose rows drown in what is added to all tokens."""
    for whole in layer.wholes:
        if whole.kind == "tokens":
            yield layer, drowned(layer, whole, "INIT306")
