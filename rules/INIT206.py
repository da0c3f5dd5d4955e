"""Scales that were computed by hand from the wrong side of a matrix."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache

from initlint.judge import Layer, Model, Problems
from initlint.judge.geometry import (
    described,
    gain_by_hand,
    is_computed,
    is_off,
    matters,
    origin,
)
from initlint.judge.zeros import number_in
from initlint.records import Initializer

# Calls of one function of the user's are seldom further apart.
_LINES = 10


def mode_of_matmul(layer: Layer, model: Model) -> Problems:
    """A bound or std of 1/√n where n is what leaves the product, not what enters it."""
    current = layer.current
    if not _is_written(layer) or current is None or not matters(layer):
        return
    other = model.layer(layer.after) if layer.type == "Parameter" else None
    if other is not None and number_in(other) == 0:
        # The first factor of an adapter: with the other one zero, its scale is free.
        return
    if layer.counted != "out" and not (_is_of_outputs(layer) and _is_proved(layer, model)):
        return
    if _is_of_gates(layer, model) or _is_of_a_cell(layer, model):
        return
    sizes = "" if layer.nominal else f" ({layer.fan_out:g} in place of {layer.fan_in:g})"
    yield (
        layer,
        f"{described(layer)}: the scale of {origin(current)} is computed from its outputs"
        f"{sizes}{_side(layer)}",
    )


def _is_of_gates(layer: Layer, model: Model) -> bool:
    """Whether the scale is 1/√hidden, as of torch's own GRU, whose three gates lie in a matrix.

    Then the std of that bound is 1/√fan_out by chance; the matrix of the state tells it.
    """
    return any(
        other.fan_out == layer.fan_out == 3 * (other.fan_in or 0)
        and other.current is not None
        and layer.current is not None
        and (other.current.site, other.current.std) == (layer.current.site, layer.current.std)
        for other in model.layers
        if other.fan_in != layer.fan_in
    )


def _side(layer: Layer) -> str:
    """Where the number of inputs is; of a bare matrix only its sizes tell that."""
    if layer.type != "Parameter":
        return "; size(1) is that of its inputs"
    if layer.nominal:
        return ""
    return f"; size({0 if layer.fan_in == layer.shape[0] else 1}) is that of its inputs"


def _is_written(layer: Layer) -> bool:
    """Whether someone has filled a matrix that is not recurrent."""
    current = layer.current
    is_matrix = len(layer.shape) == 2 and not layer.recurrent
    return is_matrix and current is not None and not current.default


def _is_of_a_cell(layer: Layer, model: Model) -> bool:
    """Whether the layer of a state, beside it, is drawn alike, by the number of *its* inputs.

    torch's own recurrent cells draw all that they hold from ±1/√hidden_size.
    """
    current = layer.current
    for other in model.layers:
        drawn = other.current
        if drawn is None or current is None or other is layer:
            continue
        is_alike = (drawn.site, drawn.args) == (current.site, current.args)
        is_beside = (other.before, other.after) == (layer.before, layer.after)
        if is_alike and is_beside and _is_of_inputs(other, drawn):
            return True
    return False


def _is_of_inputs(layer: Layer, drawn: Initializer) -> bool:
    """Whether the scale is a root of fan_in."""
    if layer.nominal or not layer.fan_in:
        return layer.counted in ("in", "both")
    return gain_by_hand(drawn, layer.fan_in) is not None


def _is_of_outputs(layer: Layer) -> bool:
    """Whether the scale is a root of fan_out, and not of fan_in."""
    current = layer.current
    if current is None or layer.nominal or not layer.fan_in or not layer.fan_out:
        return False
    if not is_off((layer.fan_in / layer.fan_out) ** 0.5) or gain_by_hand(current, layer.fan_in):
        return False
    gain = gain_by_hand(current, layer.fan_out)
    if layer.type == "Parameter":
        return gain is not None
    # For torch's own layers a std by fan_out may be meant so. A bound of 1/√fan_out is not, but for
    # the head of EfficientNet.
    return gain is not None and gain < 1 and not layer.head


def _is_proved(layer: Layer, model: Model) -> bool:
    """Whether this number, or another that the same line draws by, was computed."""
    current = layer.current
    if current is None or is_computed(current):
        return current is not None
    if current.site is None:
        return False
    lines = _proofs(model).get((current.site.path, current.name), ())
    place = bisect_left(lines, current.site.line - _LINES)
    return place < len(lines) and lines[place] <= current.site.line + _LINES


@lru_cache(maxsize=1)
def _proofs(model: Model) -> Mapping[tuple[str, str], Sequence[int]]:
    """By file and initialiser, the lines that draw some layer by the root of its outputs."""
    found: dict[tuple[str, str], list[int]] = {}
    for layer in filter(_is_root_of_outputs, model.layers):
        current = layer.current
        if current is not None and current.site is not None and is_computed(current):
            found.setdefault((current.site.path, current.name), []).append(current.site.line)
    return {place: sorted(lines) for place, lines in found.items()}


def _is_root_of_outputs(layer: Layer) -> bool:
    """Whether a bound is 1/√fan_out to all digits, and not 1/√fan_in."""
    current = layer.current
    if current is None or layer.nominal or not layer.fan_in or not layer.fan_out:
        return False
    if layer.fan_in == layer.fan_out or gain_by_hand(current, layer.fan_in):
        return False
    gain = gain_by_hand(current, layer.fan_out)
    return gain is not None and (gain < 1 or layer.type == "Parameter")
