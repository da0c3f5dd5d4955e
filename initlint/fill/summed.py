"""Layers beside a sum over who knows how many values: no scale but PyTorch's default is safe."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from initlint.graph.ops import Graph, Op
from initlint.graph.signal import predicted
from initlint.graph.signal_terms import Given
from initlint.graph.signal_weighted import Known
from initlint.recommend.sums import beside_sums, may_sum
from initlint.records import Initializer, Layer

# Measured (docs/outcomes.md, "Sums over neighbours").
SUMMED = "beside a sum over an unknown number of values, which other scales may make explode"
_DEFAULT = "PyTorch's default: beside a sum over an unknown number of values"


def summed_in(graph: Graph) -> set[str]:
    """The weights before and behind such a sum, up to a normalisation."""
    if not any(map(may_sum, graph.nodes)):
        return set()
    beside = beside_sums(graph.nodes, predicted(graph.nodes, Given(_unknown)))
    return {weight.parameter for op in beside for weight in op.weights}


def with_default_scales(layers: Sequence[Layer], summed: Collection[str]) -> tuple[Layer, ...]:
    """The layers; those beside sums get the std of PyTorch's default, should they be filled."""

    def found(layer: Layer) -> Layer:
        wanted = layer.recommended
        if layer.parameter not in summed or wanted is None or not wanted.std or not layer.fan_in:
            return layer
        std = 1 / math.sqrt(3 * layer.fan_in)
        return replace(
            layer, recommended=Initializer("normal_", {"std": std}, std, reason=_DEFAULT)
        )

    return tuple(map(found, layers))


def _unknown(op: Op) -> Sequence[Known]:
    """Which values are summed and which are shares does not depend on the weights."""
    return ()
