"""Heads that share the weight of an embedding: the logits that they make of a signal of rms 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import nn

from initlint.fill.shards import plain_name
from initlint.records import Initializer, Layer

_BEFORE = "the tied head behind it makes logits of rms 1 of its result (initial loss about ln C)"
_TIED = "as a head it makes logits of rms 1 (initial loss about ln C)"


def loudness(model: nn.Module, std: Callable[[str], float | None]) -> Mapping[str, float]:
    """The rms of the results of a head on each embedding's weight, for a signal of rms 1.

    By every name of the weight, so of the head, too. `std` gives that of a weight by name.
    """
    tables = {
        id(module.weight): (plain_name(f"{prefix}.weight" if prefix else "weight"), module)
        for prefix, module in model.named_modules()
        if isinstance(module, nn.Embedding)
    }
    found = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        if id(tensor) in tables:
            first, module = tables[id(tensor)]
            found[plain_name(name)] = (std(first) or 0.0) * math.sqrt(module.embedding_dim)
    return found


def is_before(layer: Layer, loud: Mapping[str, float]) -> bool:
    """Whether a layer's result goes straight into a tied head, which would make it loud."""
    is_linear = layer.following.activation == "linear" and "norm" not in layer.following.via
    return is_linear and loud.get(layer.after or "", 0.0) > 1.0


def with_tied_heads(layers: Sequence[Layer], model: nn.Module) -> tuple[Layer, ...]:
    """The layers, so recommended that tied heads begin with logits of rms 1.

    The embedding's scale wins: the layer before the head is so much smaller. If a normalisation is
    there instead, and the logits are loud, only the embedding itself can be smaller.
    """
    held = {layer.parameter: layer.current for layer in layers if layer.current is not None}
    loud = loudness(model, lambda name: held[name].std if name in held else None)
    padded = {
        plain_name(f"{prefix}.weight" if prefix else "weight")
        for prefix, module in model.named_modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    }

    is_led = any(is_before(layer, loud) and layer.recommended for layer in layers)

    def recommended(layer: Layer) -> Layer:
        now, wanted = layer.current, layer.recommended
        if wanted is not None and wanted.std and is_before(layer, loud):
            std = wanted.std / loud[layer.after or ""]
            return replace(layer, recommended=_normal(std, _BEFORE))
        rms = layer.signal.result if layer.signal is not None else 0.0
        is_table = layer.parameter in loud and layer.parameter not in padded
        if is_table and not is_led and wanted is None and now is not None and now.std and rms > 1.0:
            return replace(layer, recommended=_normal(now.std / rms, _TIED))
        return layer

    return tuple(map(recommended, layers))


def _normal(std: float, reason: str) -> Initializer:
    return Initializer("normal_", {"std": std}, std, reason=reason)
