"""Residual streams without normalisation: how much their branches make them grow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from initlint.graph.branches import Branch, branches
from initlint.graph.ops import Op
from initlint.graph.signal import Given, Prediction, predicted
from initlint.recommend import magnitude
from initlint.records import Layer, Whole

# What may lie between two blocks.
_BETWEEN = ("shape", "dropout", "scale", "choice", "activation")
# A growth of E[x²] that is worth a prediction, and one that is worth a word.
_LIKELY, _GROWN = 100.0, 30.0**2
# A stream has so many branches.
_FEWEST = 4


def streams(layers: Sequence[Layer], ops: Sequence[Op], given: Given) -> Iterator[Whole]:
    """The streams that grow because no branch of theirs has a normalisation."""
    if not _may_grow(layers):
        return
    by_name = {layer.parameter: layer for layer in layers}
    found = predicted(ops, given)
    for chain in _chains(branches({op: op for op in ops})):
        if len(chain) < _FEWEST or not all(_is_judged(branch, found) for branch in chain):
            continue
        names = (weight.name for one in chain if one.last for weight in given.weights(one.last))
        writers = [by_name[name] for name in dict.fromkeys(names) if name in by_name]
        first, last = found.values[chain[0].fork].q, found.values[chain[-1].join].q
        if writers and not writers[-1].closed and first > 0 and last > _GROWN * first:
            written = tuple(layer.parameter for layer in writers)
            yield Whole("stream", written, math.sqrt(last / first), blocks=len(chain))


def _may_grow(layers: Sequence[Layer]) -> bool:
    """Whether branches without a normalisation could enlarge their stream that much.

    A branch of relu layers with gains g adds the product of g²/2 for each inner layer, times g² of
    the last one, to E[x²].
    """
    last, inner = (_squared_gains(layers, place) for place in ("last", "inside"))
    if len(last) < _FEWEST:
        return False
    added = sum(last) / len(last) * math.prod(g / 2 for g in inner) ** (1 / len(last))
    return len(last) * math.log1p(added) > math.log(_LIKELY)


def _squared_gains(layers: Sequence[Layer], place: str) -> list[float]:
    """Those of the layers at one place of their branches that are known and not zero."""
    return [
        magnitude(layer.current) ** 2 * (layer.fan_in or 0)
        for layer in layers
        if layer.branch == place and layer.current is not None and layer.current.std
    ]


def _chains(found: Sequence[Branch]) -> list[list[Branch]]:
    """The branches of each stream, in order: one begins where the last one has ended."""
    open_ends: dict[Op, list[Branch]] = {}
    chains: list[list[Branch]] = []
    for branch in found:
        chain = open_ends.pop(_up(branch.fork, open_ends), None)
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(branch)
        open_ends[branch.join] = chain
    return chains


def _up(op: Op, joins: Mapping[Op, object]) -> Op:
    """The sum that a value comes from, through operations on it alone."""
    while op not in joins and op.role in _BETWEEN and len(op.inputs) == 1:
        op = op.inputs[0]
    return op


def _is_judged(branch: Branch, found: Prediction) -> bool:
    """Whether a branch has no normalisation, and all of its operations are predicted."""
    return not branch.normalised and not any(found.starts.get(op) for op in branch.nodes)
