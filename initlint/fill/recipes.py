"""Initialisations that belong to a whole architecture: residual streams, recurrences, siblings.

The recommendation for a single layer knows what follows it; these know its place in the model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initlint.fill.attention import with_scaled_queries
from initlint.fill.centring import with_centred
from initlint.graph.branches import Branch, branches
from initlint.graph.mixing import with_mixings
from initlint.graph.ops import Graph
from initlint.graph.steps import Node, Steps
from initlint.records import Initializer, Layer

# torch's recurrent layers and cells.
RECURRENT_TYPES = ("LSTM", "LSTMCell", "GRU", "GRUCell", "RNN", "RNNCell")
# Operations between a weight and the stream that its result is added to.
_TO_STREAM = ("shape", "dropout", "scale", "pool", "gate", "merge_add")
_DIGITS = re.compile(r"\d+")


def with_recipes(layers: Sequence[Layer], graphs: Sequence[Graph]) -> tuple[Layer, ...]:
    """The layers, recommended by the recipe of their architecture where there is one."""
    writers = stream_writers(graphs)
    alike = tuple(_of_recurrence(layer) for layer in _like_siblings(layers))
    found = with_centred(with_scaled_queries(alike, graphs), graphs)
    return tuple(_into_stream(layer, writers.get(layer.parameter, 0)) for layer in found)


def per_part(layer: Layer) -> Layer:
    """The layer; q, k and v that lie in one matrix have a fan_out each, as if they were three."""
    packed = layer.parts > 1 and layer.following.activation == "attention"
    if not packed or layer.recurrent or not layer.fan_in or not layer.fan_out:
        return layer
    return replace(layer, fan_out=math.prod(layer.shape) / layer.fan_in / layer.parts)


def stream_writers(graphs: Sequence[Graph]) -> dict[str, int]:
    """The weights that write into a pre-norm residual stream, with the number of its branches.

    Such a branch begins with a normalisation and adds its last weight's result to the stream, so
    that nothing but the weight decides by how much the stream grows.
    """
    found: dict[str, int] = {}
    for graph in graphs:
        steps = with_mixings({op: op for op in graph.nodes}, graph.whole)
        every = [_writers(steps, b) for b in branches(steps) if b.normalised]
        every = [names for names in every if names]
        for names in every:
            found.update(dict.fromkeys(names, len(every)))
    return found


def _writers(steps: Steps, branch: Branch) -> list[str]:
    """The weights whose results a branch adds, with no normalisation between."""
    waiting = [node for node in steps[branch.join].inputs if node in branch.nodes]
    names, seen = [], set[Node]()
    while waiting:
        node = waiting.pop()
        if node in seen or node not in branch.nodes:
            continue
        seen.add(node)
        step = steps[node]
        if step.role == "weighted":
            names += [weight.parameter for weight in step.weights]
        elif step.role in _TO_STREAM:
            waiting += step.inputs
    return names


def _into_stream(layer: Layer, count: int) -> Layer:
    """The layer with a std smaller by 1/sqrt(count): all branches together add one variance.

    Radford 2019 (GPT-2): 1/sqrt(N) on the weights of residual layers, N of them.
    """
    wanted = layer.recommended
    if count < 2 or wanted is None or not wanted.std or layer.branch:
        return layer
    std = wanted.std / math.sqrt(count)
    reason = f"1/sqrt({count}) for {count} branches that write into the stream (Radford 2019)"
    return replace(layer, recommended=Initializer("normal_", {"std": std}, std, reason=reason))


def _of_recurrence(layer: Layer) -> Layer:
    """Orthogonal recurrent weights, and of torch's own Xavier input weights, gate by gate.

    A gate's fan_out is its rows, not those of all gates.
    """
    rows = layer.shape[0] // layer.parts if layer.shape else 0
    if layer.recurrent == "state" and layer.recommended is not None:
        return replace(layer, fan_out=rows)
    if layer.recurrent != "input" or layer.type not in RECURRENT_TYPES or len(layer.shape) != 2:
        return layer
    std = math.sqrt(2 / (rows + layer.shape[1]))
    wanted = Initializer("normal_", {"std": std}, std, reason="Xavier for every gate (Glorot 2010)")
    return replace(layer, fan_out=rows, recommended=wanted)


def _like_siblings(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers; one whose result goes to several readers is treated as its siblings are.

    Siblings have the same name but for numbers, the same class and shape: the last of equal
    encoder layers, whose stream every layer of the decoder reads.
    """
    known: dict[tuple[object, ...], dict[float | None, Layer]] = {}
    for layer in layers:
        if layer.recommended is not None:
            known.setdefault(_role(layer), {})[layer.recommended.std] = layer
    for layer in layers:
        siblings = known.get(_role(layer), {})
        is_open = layer.recommended is None and layer.following.activation == "mixed"
        if not is_open or len(siblings) != 1 or layer.recurrent:
            yield layer
            continue
        [sibling] = siblings.values()
        yield replace(layer, following=sibling.following, recommended=sibling.recommended)


def _role(layer: Layer) -> tuple[object, ...]:
    return _DIGITS.sub("#", layer.parameter), layer.type, layer.shape
