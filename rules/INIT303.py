"""Residual branches without normalisation that multiply their stream."""

from initlint.judge import Layer, Problems, growth


def unscaled_residual_branch(layer: Layer) -> Problems:
    """A stream that grows from block to block, where no normalisation bounds it."""
    for whole in layer.wholes:
        if whole.kind == "stream":
            yield layer, growth(layer, whole, "INIT303")
