"""Residual streams: how much the branches add to one, and whether their tokens stay apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from initlint.graph.branches import Branch, branches
from initlint.graph.ops import Op, Operand
from initlint.graph.signal import Given, Prediction, predicted
from initlint.recommend import magnitude
from initlint.recommend.question import scheme
from initlint.recommend.runs import runs
from initlint.records import Layer, Whole

# Between two blocks, and between a branch's last layer and the sum.
_BETWEEN = ("shape", "dropout", "scale", "choice", "activation")
_AFTER = ("shape", "dropout", "scale")
# A growth of E[x²] that is worth a prediction, and one that is worth a word.
_LIKELY, _GROWN = 100.0, 30.0**2
# Gains so small that all branches together may add less than this to E[x²].
_SMALL_GAIN, _LITTLE = 0.35, 0.02
# A stream has so many branches.
_FEWEST = 4


def streams(layers: Sequence[Layer], ops: Sequence[Op], given: Given) -> Iterator[Whole]:
    """The streams that grow, without a normalisation, and those to which branches add nothing."""
    grows, is_faint = _may_grow(layers), _may_be_faint(layers)
    if not grows and not is_faint:
        return
    by_name = {layer.parameter: layer for layer in layers}
    found = predicted(ops, given)
    start = runs(ops, found)
    for chain in _chains(branches({op: op for op in ops})):
        if len(chain) < _FEWEST or any(_is_unknown(branch, found) for branch in chain):
            continue
        writers = [_writer(branch, given, by_name) for branch in chain]
        first, last = found.values[chain[0].fork].q, found.values[chain[-1].join].q
        known = tuple(dict.fromkeys(layer.parameter for layer in writers if layer is not None))
        if None in writers or not known or first <= 0:
            continue
        own = [layer for layer in writers if layer is not None]
        is_bare = not any(branch.normalised for branch in chain)
        if grows and is_bare and not own[-1].closed and last > _GROWN * first:
            yield Whole("stream", known, math.sqrt(last / first), blocks=len(chain), bare=True)
        share = 1 - first / last
        if (
            is_faint
            and _is_fixed(own)
            and share < _LITTLE
            and not found.starts.get(start[chain[0].fork])
        ):
            yield Whole("stream", known, math.sqrt(last / first), blocks=len(chain), share=share)


def _may_grow(layers: Sequence[Layer]) -> bool:
    """Whether branches without a normalisation could enlarge their stream that much.

    A branch of relu layers with gains g adds the product of g²/2 for each inner layer, times g² of
    the last one, to E[x²].
    """
    last = [magnitude(x.current) ** 2 * (x.fan_in or 0) for x in _bare(layers, "last") if x.current]
    inner = [
        magnitude(x.current) ** 2 * (x.fan_in or 0) for x in _bare(layers, "inside") if x.current
    ]
    if len(last) < _FEWEST:
        return False
    added = sum(last) / len(last) * math.prod(g / 2 for g in inner) ** (1 / len(last))
    return len(last) * math.log1p(added) > math.log(_LIKELY)


def _bare(layers: Sequence[Layer], place: str) -> list[Layer]:
    return [x for x in layers if x.branch == place and x.current is not None and x.current.std]


def _may_be_faint(layers: Sequence[Layer]) -> bool:
    """Whether enough layers have a std that someone wrote, far too small for their width."""
    small = [
        x
        for x in layers
        if scheme(x) == "explicit"
        and x.current is not None
        and 0 < magnitude(x.current) * math.sqrt(x.fan_in or 0) < _SMALL_GAIN
    ]
    return len(small) >= _FEWEST


def _is_fixed(writers: Sequence[Layer]) -> bool:
    """Whether all have the same std, written as a number: not divided by the depth, not zero."""
    stds = {x.current.std for x in writers if x.current is not None}
    return (
        len(stds) == 1
        and None not in stds
        and 0.0 not in stds
        and all(scheme(x) == "explicit" for x in writers)
    )


def _chains(found: Sequence[Branch]) -> list[list[Branch]]:
    """The branches of each stream, in order: one begins where the last one has ended."""
    chains: dict[Op, list[Branch]] = {}
    done: list[list[Branch]] = []
    for branch in found:
        chain = chains.pop(_up(branch.fork, chains), None)
        if chain is None:
            chain = []
            done.append(chain)
        chain.append(branch)
        chains[branch.join] = chain
    return done


def _up(op: Op, joins: Mapping[Op, object]) -> Op:
    """The sum that a value comes from, through operations on it alone."""
    while op not in joins and op.role in _BETWEEN and len(op.inputs) == 1:
        op = op.inputs[0]
    return op


def _is_unknown(branch: Branch, found: Prediction) -> bool:
    return any(found.starts.get(op) for op in branch.nodes)


def _writer(branch: Branch, given: Given, by_name: Mapping[str, Layer]) -> Layer | None:
    """The layer whose result a branch adds; None without one, or with a parameter behind it."""
    sides: list[Op] = [op for op in branch.join.inputs if op in branch.nodes]
    end: Op = sides[0] if sides else branch.join
    while end.role in _AFTER and len(end.inputs) == 1:
        if type(end.args.get("factor")) is Operand:
            return None
        end = end.inputs[0]
    if end is not branch.last:
        return None
    known = [weight for weight in given.weights(end) if weight.std]
    return by_name.get(known[-1].name) if known else None
