"""Attention whose products q·kᵀ are not divided by √d: the weight of q makes up for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from initlint.graph.ops import Graph, Op, leaves_of
from initlint.records import Initializer, Layer

_PRODUCTS = ("matmul", "rmatmul", "bmm", "einsum")
# Between q, or k, and their product; and between that and its softmax.
_BEFORE = ("shape", "dropout")
_AFTER = (*_BEFORE, "merge_add", "choice")
# A mask, or a bias of positions, is added.
_SUMS = ("add", "iadd", "sub", "isub")
# Shape operations that cut a dimension into heads, by their last size.
_CUTS = ("view", "reshape", "unflatten")
_HIDING = ("getitem", "rearrange", "repeat", "expand", "gather", "index_select", "split", "chunk")
UNSIZED = "the weight is of q or k, whose products nothing divides by √d, and d is not known"


def with_scaled_queries(layers: Sequence[Layer], graphs: Sequence[Graph]) -> tuple[Layer, ...]:
    """The layers; q gets 1/√d of its std where nothing else divides its products by √d.

    A product of d terms has the variance d; Vaswani 2017 (arXiv 1706.03762, 3.2.1) divides by √d
    because the softmax is saturated otherwise. Where d is not known, q and k keep what they hold.
    """
    sizes = dict(pair for graph in graphs for pair in _unscaled(graph))

    def scaled(layer: Layer) -> Layer:
        wanted = layer.recommended
        if layer.parameter not in sizes or wanted is None or not wanted.std:
            return layer
        size = sizes[layer.parameter]
        if not size or layer.parts > 1:
            return replace(layer, recommended=None, harmless=UNSIZED)
        std = wanted.std / math.sqrt(size)
        reason = f"1/sqrt({size}): nothing else divides q·kᵀ by it (Vaswani 2017)"
        return replace(layer, recommended=Initializer("normal_", {"std": std}, std, reason=reason))

    return tuple(map(scaled, layers))


def _unscaled(graph: Graph) -> Iterator[tuple[str, int]]:
    """The weights of q in products that go to a softmax undivided, with the size of a head, or 0.

    Of a size that is not known, the weights of k, too.
    """
    readers: dict[Op, list[Op]] = {}
    for op in graph.nodes:
        for value in op.inputs:
            readers.setdefault(value, []).append(op)
    for op in graph.nodes:
        factors = _factors(op, readers)
        sides = [_source(value) for value in factors]
        if not sides or not all(sides):
            continue
        (query, size), (key, other) = (side for side in sides if side)
        size = size if size == other else 0
        yield query, size
        if not size:
            yield key, 0


def _factors(op: Op, readers: dict[Op, list[Op]]) -> tuple[Op, ...]:
    """q and k, where an operation multiplies them for a softmax without dividing by √d."""
    if op.bare_name == "scaled_dot_product_attention" and op.keywords.get("scale") == 1:
        found = tuple(value for value in op.operands[:2] if type(value) is Op)
        return found if len(found) == 2 else ()
    is_product = op.bare_name in _PRODUCTS and len(op.inputs) == 2
    return op.inputs if is_product and _is_shares(op, readers) else ()


def _is_shares(op: Op, readers: dict[Op, list[Op]]) -> bool:
    """Whether a softmax alone reads a product, and nothing multiplies it before."""
    while True:
        after = readers.get(op, [])
        if len(after) != 1:
            return False
        [op] = after
        if op.role == "activation":
            return op.activation == "softmax"
        if op.role not in _AFTER and op.bare_name not in _SUMS:
            return False


def _source(op: Op) -> tuple[str, int] | None:
    """The weight that alone makes a factor of the product, and the size of its heads, or 0."""
    size: int | None = None
    while op.role in _BEFORE and len(op.inputs) == 1:
        size = _cut(op) if size is None and op.bare_name in (*_CUTS, *_HIDING) else size
        [op] = op.inputs
    if op.role != "weighted" or len(op.weights) != 1:
        return None
    [weight] = op.weights
    if size is None:
        size = int(weight.fan_out) if weight.fan_out else 0
    elif size < 0 and weight.fan_out:
        size = int(weight.fan_out) // -size
    return weight.parameter, max(0, size)


def _cut(op: Op) -> int:
    """The size of a head after a cut; minus the number of heads if that is given instead; or 0."""
    if op.bare_name not in _CUTS:
        return 0
    sizes = leaves_of(op.operands[2 if op.bare_name == "unflatten" else 1 :])
    if len(sizes) < 2 or type(sizes[-1]) is not int:
        return 0
    if sizes[-1] > 0:
        return sizes[-1]
    heads = sizes[-2]
    return -heads if type(heads) is int and heads > 0 else 0
