"""Heads that share the weight of an embedding: the logits that they make of a signal of rms 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import nn

from initlint.fill.shards import plain_name
from initlint.records import Initializer, Layer

_BEFORE = "the tied head behind it makes logits of rms 1 of its result (initial loss about ln C)"


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
    """The layers; one before a tied head is so recommended that the logits begin with rms 1.

    The embedding's scale wins. Where a normalisation is before the head, only a smaller embedding
    would make it quiet, and drown among what is added to it: so it stays.
    """
    held = {layer.parameter: layer.current for layer in layers if layer.current is not None}
    loud = loudness(model, lambda name: held[name].std if name in held else None)

    def recommended(layer: Layer) -> Layer:
        wanted = layer.recommended
        if wanted is None or not wanted.std or not is_before(layer, loud):
            return layer
        std = wanted.std / loud[layer.after or ""]
        return replace(layer, recommended=Initializer("normal_", {"std": std}, std, reason=_BEFORE))

    return tuple(map(recommended, layers))
