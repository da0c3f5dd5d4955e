"""Several hidden sigmoid layers in a row, which let no gradient through."""

import math

from initlint.judge import Layer, Model, Problems, called, magnitude

# The largest slope of each function.
_SLOPES = {"sigmoid": 1 / 4, "hardsigmoid": 1 / 6}
# Less of the gradient than this leaves the first layers untrained.
_LEAST = 0.01


def saturating_hidden_layers(model: Model) -> Problems:
    """Rows of hidden layers before sigmoids, without a normalisation between them."""
    hidden = {layer.parameter: layer for layer in model.layers if _is_hidden(layer)}
    for layer in hidden.values():
        if layer.before in hidden:
            continue
        row = [layer]
        while (after := hidden.get(row[-1].after or "")) and after.before == row[-1].parameter:
            row.append(after)
        share = _passed(row)
        if share < _LEAST:
            most = f"at most {share:.1g}"
            if any(each.nominal for each in row):
                most = "hardly any"
            yield (
                layer,
                f"{called(layer)} is the first of {len(row)} hidden "
                f"sigmoid layers in a row: they let {most} of the gradient through; "
                "use tanh or relu (`initlint rule INIT304`)",
            )


def _is_hidden(layer: Layer) -> bool:
    is_plain = not (layer.head or layer.harmless or layer.branch or layer.recurrent)
    return is_plain and layer.following.activation in _SLOPES


def _passed(row: list[Layer]) -> float:
    """The most that the gradient of the first layer keeps; 1 if that is not known.

    Each sigmoid passes at most its largest slope, each layer behind the first one its gain.
    """
    share = math.prod(_SLOPES[layer.following.activation] for layer in row)
    for layer in row[1:]:
        if layer.current is None or layer.current.std is None or not layer.fan_out:
            return 1.0
        share *= magnitude(layer.current) * math.sqrt(layer.fan_out)
    return share
