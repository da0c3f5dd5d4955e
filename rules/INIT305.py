"""A last layer whose results are so large that training starts with a confident error."""

from initlint.judge import Layer, Problems, called

# As logits of this rms, the first cross entropy is 8 above ln(classes).
_LOUD = 4.0


def loud_logits(layer: Layer) -> Problems:
    """A model whose results have a predicted root mean square above 4."""
    if layer.signal is None or layer.signal.result <= _LOUD:
        return
    name, rms = called(layer), layer.signal.result
    yield (
        layer,
        f"{name} gives results of rms {rms:.3g}: as logits, the first loss is {rms * rms / 2:.3g} "
        f"above ln(classes); {1 / rms:.2g}× its std gives rms 1 (`initlint rule INIT305`)",
    )
