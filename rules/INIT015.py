"""Products of two weights that cannot be trained, or that do not start as zero."""

from initlint.judge import Layer, Model, Problems
from initlint.judge.geometry import described, origin
from initlint.judge.zeros import has_zero_bias, is_frozen, number_in

_BETWEEN = {"shape", "dropout", "prenorm"}


def dead_product(layer: Layer, model: Model) -> Problems:
    """Two factors that are both zero, or both drawn in an adapter that starts as zero."""
    other = _other(layer, model)
    if other is None or layer.current is None or other.current is None:
        return
    values = number_in(layer), number_in(other)
    if values == (0, 0):
        is_fixed = is_frozen(layer, model) or is_frozen(other, model)
        if not is_fixed and (layer.times or has_zero_bias(layer, model)):
            yield (
                layer,
                f"{described(layer)} and {described(other)} are multiplied with each other, and "
                "both are zero: neither gets a gradient",
            )
    elif _is_adapter(layer, other) and _is_drawn(layer) and _is_drawn(other):
        yield (
            other,
            f"{described(other)} is drawn by {origin(other.current)}, and so is "
            f"{described(layer)}: the adapter acts at once; make one zero",
        )


def _other(layer: Layer, model: Model) -> Layer | None:
    """The second factor of the product that a weight is the first of."""
    following = layer.following
    name = layer.times
    if name is None and following.activation == "linear" and _BETWEEN.issuperset(following.via):
        name = layer.after
    # Of a product of two parameters, each is the other's other one: it is reported once.
    return None if layer.times and layer.times < layer.parameter else model.layer(name)


def _is_adapter(layer: Layer, other: Layer) -> bool:
    """Whether two factors are called after LoRA, or their class is."""
    return all("lora" in f"{x.model} {x.parameter}".lower() for x in (layer, other))


def _is_drawn(layer: Layer) -> bool:
    return layer.current is not None and bool(layer.current.std)
