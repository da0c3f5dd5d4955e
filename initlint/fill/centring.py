"""Layers behind hidden sigmoids: rows without a mean, and the scale that the variance needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initlint.graph.ops import Graph, Op
from initlint.records import Initializer, Layer

# Var sigmoid(z) for standard normal z, by quadrature.
_VARIANCE = 0.043379
_BETWEEN = ("shape", "dropout")
_TYPES = ("Linear", "Conv1d", "Conv2d", "Conv3d")
CENTRED = "centred_normal_"


def with_centred(layers: Sequence[Layer], graphs: Sequence[Graph]) -> tuple[Layer, ...]:
    """The layers; hidden ones that read the sigmoid of another get rows without a mean.

    The result of a sigmoid is 1/2 + small: through a drawn weight the 1/2 gives every unit a
    constant that is far larger than the signal, and the next sigmoid lets neither through. In a row
    that sums to zero, constants cancel; what remains has the variance V of the sigmoid's result, so
    that the std is that for an input of variance 1, divided by √V. The gradient then stays, too:
    E[sigmoid′²]/V is 1.03.
    """
    behind = {name for graph in graphs for name in _behind(graph)}
    return tuple(_centred(layer) if layer.parameter in behind else layer for layer in layers)


def _centred(layer: Layer) -> Layer:
    wanted = layer.recommended
    if wanted is None or not wanted.std:
        return layer
    is_plain = layer.type in _TYPES and layer.fan_in == math.prod(layer.shape[1:])
    if not is_plain or layer.head or layer.recurrent or layer.branch:
        return layer
    std = wanted.std / math.sqrt(_VARIANCE)
    reason = "behind a sigmoid: rows without a mean, for which its 1/2 is nothing"
    return replace(layer, recommended=Initializer(CENTRED, {"std": std}, std, reason=reason))


def _behind(graph: Graph) -> Iterator[str]:
    """The weights whose every input is the sigmoid of a weighted layer's result."""
    found: dict[str, bool] = {}
    for op in graph.nodes:
        for weight in op.weights if op.role == "weighted" else ():
            found[weight.parameter] = found.get(weight.parameter, True) and _is_behind(op)
    yield from (name for name, is_behind in found.items() if is_behind)


def _is_behind(op: Op) -> bool:
    before = _through(op)
    if before is None or before.role != "activation" or before.activation != "sigmoid":
        return False
    source = _through(before)
    return source is not None and source.role == "weighted"


def _through(op: Op) -> Op | None:
    """What an operation reads, if it is one thing, without what only shapes it."""
    while len(op.inputs) == 1:
        [op] = op.inputs
        if op.role not in _BETWEEN:
            return op
    return None
