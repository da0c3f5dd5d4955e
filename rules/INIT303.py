"""Residual branches without normalisation that multiply their stream."""

from initlint.judge import Model, Problems, growth, loudness


def unscaled_residual_branch(model: Model) -> Problems:
    """The last layers of the branches of a stream that grows, where no normalisation bounds it.

    With them come layers inside that are louder than Xavier, and that no activation follows.
    """
    by_name = {layer.parameter: layer for layer in model.layers}
    for layer in model.layers:
        for whole in layer.wholes:
            if whole.kind == "stream":
                message = growth(layer, whole, "INIT303")
                yield from ((by_name[name], message) for name in whole.layers)
                inner = [by_name[name] for name in whole.inner]
                yield from ((other, loudness(other, whole, "INIT303")) for other in inner)
