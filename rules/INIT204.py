"""Several matrices in one parameter, drawn as if they were one."""

import math
from functools import lru_cache

from initlint.judge import Layer, Model, Problem, Problems
from initlint.judge.geometry import described, is_off, origin, std_with, times
from initlint.records import Initializer, Site
from initlint.safe.shown import access


def packed_projection(layer: Layer, model: Model) -> Problems:
    """Gates, or q, k and v, in one matrix that orthogonal_ or Xavier fills as a whole."""
    current = layer.current
    if layer.parts < 2 or current is None or current.default or not _is_packed(layer):
        return
    # The std is not known where it depends on two sizes that are only names.
    if not layer.fan_in or current.std is None:
        return
    out = math.prod(layer.shape) / layer.fan_in
    ratio = _ratio(layer, out)
    if ratio is None or not is_off(ratio) or _is_as_torch_does(layer, model):
        return
    each = "none is orthogonal, each" if current.name == "orthogonal_" else "each"
    loop = f"for part in {access('self', layer.parameter)}.chunk({layer.parts})"
    yield Problem(
        layer,
        f"{described(layer)} holds {layer.parts} matrices, but {origin(current)} draws them as "
        f"one: {each} gets {times(ratio)} the std of its own draw",
        help=f"{loop}: nn.init.{current.name}(part{_gain(current)})",
        parts=layer.parts,
    )


def _gain(current: Initializer) -> str:
    """The gain as the call gives it, if it is not 1."""
    gain = current.args.get("gain", 1)
    return f", gain={gain:.4g}" if isinstance(gain, (int, float)) and gain != 1 else ""


def _is_packed(layer: Layer) -> bool:
    """Whether the parts are those of torch's recurrent layers, q, k and v, or gates."""
    if layer.type.removesuffix("Cell") in ("LSTM", "GRU") or layer.type == "MultiheadAttention":
        return True
    following = layer.following
    if following.activation == "attention":
        return True
    gates = set(following.args.get("activations", ()))
    return layer.parts > 2 and {"sigmoid", "tanh"} <= gates


def _ratio(layer: Layer, out: float) -> float | None:
    """The std of the whole draw divided by that of a draw for each part."""
    current = layer.current
    if current is None or not layer.fan_in:
        return None
    if current.name == "orthogonal_":
        return math.sqrt(max(out / layer.parts, layer.fan_in) / max(out, layer.fan_in))
    if not current.name.startswith("xavier"):
        return None
    whole = std_with(current, layer.fan_in, out)
    part = std_with(current, layer.fan_in, out / layer.parts)
    return whole / part if whole and part else None


def _is_as_torch_does(layer: Layer, model: Model) -> bool:
    """Whether a loop over all parameters repeats what torch's own attention does."""
    current = layer.current
    if layer.type != "MultiheadAttention" or current is None or current.name == "orthogonal_":
        return False
    return current.site not in _lines_for_parts(model)


@lru_cache(maxsize=1)
def _lines_for_parts(model: Model) -> frozenset[Site | None]:
    """The calls that are for packed matrices alone."""
    return frozenset(
        call.site
        for call in model.calls
        if call.targets and all(_holds_parts(name, model) for name in call.targets)
    )


def _holds_parts(name: str, model: Model) -> bool:
    layer = model.layer(name)
    return layer is not None and layer.parts > 1
