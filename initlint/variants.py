"""The recommended initialiser as someone prefers it: another distribution, or the other fan."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from initlint.quickdata import replace
from initlint.records import Initializer, Layer, Preferences

_IN, _OUT = "{weight}[0].numel()", "{weight}[:, 0].numel()"
_FAN = {"fan_in": _IN, "fan_out": _OUT}
_OTHER = {"fan_in": "fan_out", "fan_out": "fan_in"}
_STD = re.compile(r"std=(.*)\)$", re.DOTALL)


def preferred(layers: Sequence[Layer], wanted: Preferences) -> tuple[Layer, ...]:
    """The same layers; what is recommended for each is drawn as `wanted` says."""
    return tuple(
        replace(layer, recommended=_varied(layer, layer.recommended, wanted))
        if layer.recommended
        else layer
        for layer in layers
    )


def _varied(layer: Layer, found: Initializer, wanted: Preferences) -> Initializer:
    """The initialiser with the preferred mode, then with the preferred distribution."""
    if wanted.mode == "fan_out":
        found = _of_other_fan(layer, found)
    vary = {"uniform": _uniform, "trunc_normal": _truncated, "orthogonal": _orthogonal}
    if wanted.distribution not in vary or found.name == "zeros_" or found.std is None:
        return found
    return vary[wanted.distribution](layer, found)


def _of_other_fan(layer: Layer, found: Initializer) -> Initializer:
    """Counted by what leaves the layer; Xavier counts both already, and a number says no fan.

    Only where torch counts the true fan_out: of grouped layers it counts all groups together.
    """
    if found.std is None or not layer.fan_in or not layer.fan_out or not _counts_both(layer):
        return found
    std = found.std * math.sqrt(layer.fan_in / layer.fan_out)
    mode = found.args.get("mode")
    if mode:
        args = {**found.args, "mode": _OTHER[mode]}
        call = found.call.replace(f'"{mode}"', f'"{_OTHER[mode]}"')
        return replace(found, args=args, std=std, call=call)
    written = next((fan for fan in (_IN, _OUT) if fan in found.call), None)
    if found.name != "normal_" or written is None:
        return found
    call = found.call.replace(written, _OUT if written == _IN else _IN)
    return replace(found, args={"std": std}, std=std, call=call)


def _counts_both(layer: Layer) -> bool:
    window = math.prod(layer.shape[2:])
    counted = {layer.shape[0] * window, layer.shape[1] * window} if len(layer.shape) > 1 else set()
    return counted == {layer.fan_in, layer.fan_out}


def _uniform(layer: Layer, found: Initializer) -> Initializer:
    if found.name != "normal_":
        name = found.name.replace("normal", "uniform")
        return replace(found, name=name, call=found.call.replace(found.name, name))
    bound = math.sqrt(3) * (found.std or 0.0)
    text = _product(math.sqrt(3), found)
    args = {"a": -bound, "b": bound}
    call = f"{{init}}.uniform_({{weight}}, -{text}, {text})"
    return replace(found, name="uniform_", args=args, call=call)


def _truncated(layer: Layer, found: Initializer) -> Initializer:
    """torch cuts at -2 and 2 whatever the std is, which few layers are small enough to notice."""
    std = found.std or 0.0
    call = f"{{init}}.trunc_normal_({{weight}}, std={_product(1.0, found)})"
    return replace(found, name="trunc_normal_", args={"std": std}, std=_cut(std), call=call)


def _cut(std: float) -> float:
    """The std of a normal draw of which nothing beyond 2 is kept."""
    if not std:
        return 0.0
    cut = 2 / std
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return std * math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))


def _orthogonal(layer: Layer, found: Initializer) -> Initializer:
    """Orthogonal with the same std; a stack of matrices or a vector has no such initialiser.

    An orthogonal matrix of `rows` and `columns` has the std 1/sqrt(max(rows, columns)).
    """
    if len(layer.shape) < 2 or layer.nominal:
        return found
    rows, columns = layer.shape[0], math.prod(layer.shape[1:])
    gain = (found.std or 0.0) * math.sqrt(max(rows, columns))
    call = f"{{init}}.orthogonal_({{weight}}{_gain(found.args, gain)})"
    return replace(found, name="orthogonal_", args={"gain": gain}, call=call)


def _gain(args: Mapping[str, Any], gain: float) -> str:
    """The gain as people write it, where it is one of torch's own."""
    if math.isclose(gain, 1):
        return ""
    if math.isclose(gain, math.sqrt(2)) and args.get("nonlinearity") == "relu":
        return ', gain={init}.calculate_gain("relu")'
    if math.isclose(gain, 5 / 3):
        return ', gain={init}.calculate_gain("tanh")'
    return f", gain={gain:.4g}"


def _product(factor: float, found: Initializer) -> str:
    """A factor times the std, spelled from the tensor wherever the std itself can be."""
    written = _STD.search(found.call)
    if found.name == "normal_" and written:
        return _scaled(factor, written[1])
    if found.name == "xavier_normal_":
        gain = factor * found.args.get("gain", 1.0)
        return f"{gain:.4g} * (2 / ({_IN} + {_OUT})) ** 0.5"
    return f"{factor * _kaiming_gain(found.args):.4g} / {_FAN[found.args['mode']]} ** 0.5"


def _scaled(factor: float, std: str) -> str:
    """A std as `recommend` writes it, times a factor."""
    if factor == 1:
        return std
    if std.endswith(" ** -0.5"):
        return f"{factor:.4g} / {std.removesuffix(' ** -0.5')} ** 0.5"
    number, slash, fan = std.partition(" / ")
    return f"{factor * float(number):.4g}{slash}{fan}"


def _kaiming_gain(args: Mapping[str, Any]) -> float:
    if args["nonlinearity"] == "linear":
        return 1.0
    return math.sqrt(2 / (1 + args.get("a", 0.0) ** 2))
