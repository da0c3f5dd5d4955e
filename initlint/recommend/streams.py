"""Residual streams: branches that multiply theirs, and branches of far too small a std."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from initlint.graph.branches import Branch, Charge, branches
from initlint.graph.ops import Op, Operand
from initlint.graph.signal import predicted
from initlint.graph.signal_cost import cost
from initlint.graph.signal_terms import Given
from initlint.recommend import TOLERANCE, magnitude, recommended
from initlint.recommend.question import scheme
from initlint.recommend.runs import is_lookup, runs
from initlint.records import Layer, Whole

# What may lie between two blocks.
_BETWEEN = ("shape", "dropout", "scale", "choice", "activation")
# What may lie between the last layer of a branch and the sum.
_AFTER = ("shape", "dropout", "scale")
# A growth of E[x²] that is worth a prediction, and one that is worth a word.
_LIKELY, _GROWN = 100.0, 30.0**2
# No activation follows a layer.
_BARE = ("linear", "attention", "gate")
# A stream has so many branches.
_FEWEST = 4
# A gain so small that a branch may add nothing, and the part of E[x²] that is next to nothing.
_SMALL_GAIN, _LITTLE = 0.35, 0.05
# With a smaller std·√width, a stack that reads numbers was measured to learn slower.
_NARROW_GAIN = 0.25
# A stream of no larger rms would drown in branches of the usual scale: measured, Llama, OLMo and
# Phi of width 32, whose embeddings have the std 0.02 as well, learn worse with larger branches.
_QUIET = 0.05
# The same std for all, also where it was measured.
_ALIKE = 1.2


def streams(
    layers: Sequence[Layer], ops: Sequence[Op], given: Given, charge: Charge
) -> Iterator[Whole]:
    """Streams without normalisation that grow, and those with branches of a too small std."""
    may_grow, may_be_faint = _may_grow(layers), _may_be_faint(layers)
    if not may_grow and not may_be_faint:
        return
    by_name = {layer.parameter: layer for layer in layers}
    charge(cost(ops))
    found = predicted(ops, given)
    start = runs(ops, found)
    for chain in _chains(branches({op: op for op in ops})):
        if len(chain) < _FEWEST or any(map(found.starts.get, _inner(chain))):
            continue
        writers = [by_name.get(name) for name in _writers(chain, given)]
        known = [layer for layer in writers if layer is not None]
        first, last = found.values[chain[0].fork].q, found.values[chain[-1].join].q
        if not known or first <= 0:
            continue
        stream = Whole("stream", tuple(dict.fromkeys(layer.parameter for layer in known)))
        stream = replace(stream, forward=math.sqrt(last / first), blocks=len(chain))
        is_bare = not any(branch.normalised for branch in chain)
        if may_grow and is_bare and not known[-1].closed and last > _GROWN * first:
            yield replace(stream, inner=_louder(chain, given, by_name))
        is_behind_norms = all(branch.normalised for branch in chain)
        is_fixed = len(writers) == len(known) == len(chain) and _is_fixed(known, layers)
        if not (may_be_faint and is_fixed and is_behind_norms):
            continue
        if found.starts.get(start[chain[0].fork]):
            continue
        share = 1 - first / last
        if first > _QUIET**2 and share < _LITTLE:
            yield replace(stream, kind="faint", share=share)
        elif _is_narrow(known) and _sums_up(chain, ops):
            widest = sorted(known, key=lambda layer: -layer.shape[0])
            names = tuple(dict.fromkeys(layer.parameter for layer in widest))
            yield replace(stream, kind="narrow", layers=names, share=share)


def _sums_up(chain: Sequence[Branch], ops: Sequence[Op]) -> bool:
    """Whether a stack reads numbers and makes one result of all positions, as a classifier does.

    Measured: with the std for its width, such a stack learns faster. One that reads tokens, or
    has a result for each position, often learns slower: what it has to copy drowns.
    """
    return _reads_numbers(chain[0].fork) and _is_pooled(chain[-1].join, ops)


def _is_pooled(join: Op, ops: Sequence[Op]) -> bool:
    """Whether all ways to the results lead through a mean over positions, or one of them."""
    users: dict[Op, list[Op]] = {}
    for op in ops:
        for value in op.inputs:
            users.setdefault(value, []).append(op)
    waiting, seen = [join], set[Op]()
    while waiting:
        op = waiting.pop()
        if op in seen or _pools(op):
            continue
        seen.add(op)
        if op.final or op.role == "output" or op not in users:
            return False
        waiting.extend(users[op])
    return True


def _pools(op: Op) -> bool:
    """Whether an operation takes the mean or maximum of all positions, or one (`x[:, 0]`)."""
    axes, size = op.args.get("dim"), op.args.get("output_size")
    if op.role == "pool" and size is not None:
        return set(size if isinstance(size, tuple) else (size,)) == {1}
    if op.role == "pool":
        # The first axis has the examples, the last one the units.
        return axes is not None and axes not in (0, -1, 2)
    return op.args.get("axis") == 1


def _reads_numbers(fork: Op) -> bool:
    """Whether a stream begins at layers that read numbers, none of them looked up in a table."""
    waiting, seen, is_weighted = [fork], set[Op](), False
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if is_lookup(op) and op.inputs:
            return False
        is_weighted |= bool(op.weights) and op.role != "norm"
        waiting.extend(op.inputs)
    return is_weighted


def _louder(chain: Sequence[Branch], given: Given, by_name: Mapping[str, Layer]) -> tuple[str, ...]:
    """The layers in branches that no activation follows and whose std is above Xavier's.

    With zeros behind them the stream begins right, but not its first steps: a transformer without
    norms, all by Kaiming, trains in one run of five, and in all with Xavier in queries, keys and
    values, too (docs/outcomes.md).
    """
    names = [weight.name for op in _inner(chain) if op.weights for weight in given.weights(op)]
    layers = [by_name[name] for name in names if name in by_name]
    return tuple(dict.fromkeys(layer.parameter for layer in layers if _is_louder(layer)))


def _is_louder(layer: Layer) -> bool:
    if layer.following.activation not in _BARE or layer.current is None or layer.harmless:
        return False
    wanted = recommended(layer)
    if wanted is None or not wanted.std or layer.times or layer.uneven:
        return False
    return magnitude(layer.current) > TOLERANCE * wanted.std


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


def _may_be_faint(layers: Sequence[Layer]) -> bool:
    """Whether enough layers of normalised input have a std far too small for their width."""
    small = [layer for layer in layers if scheme(layer) == "explicit" and _is_small(layer)]
    return len(small) >= _FEWEST


def _is_small(layer: Layer) -> bool:
    """Whether the gain of a layer is far below 1, and not 0."""
    return 0 < _gain(layer) < _SMALL_GAIN


def _is_narrow(writers: Sequence[Layer]) -> bool:
    """Whether the std of layers that write into a stream is far too small for its known width."""
    if any(layer.nominal or layer.current is None for layer in writers):
        return False
    gains = (magnitude(x.current) * math.sqrt(x.shape[0]) for x in writers if x.current)
    return max(gains) < _NARROW_GAIN


def _gain(layer: Layer) -> float:
    return magnitude(layer.current) * math.sqrt(layer.fan_in or 0) if layer.current else 0.0


def _is_fixed(writers: Sequence[Layer], layers: Sequence[Layer]) -> bool:
    """Whether someone wrote one std for the writers and for what comes before them.

    One that is smaller for the writers was divided by the depth, on purpose. Where the model has
    wider stages, too (Swin), the std is meant for these.
    """
    inner = [layer for layer in layers if layer.origin == "norm" and not layer.head]
    if not all(map(_is_small, inner)):
        return False
    every = {layer.parameter: layer for layer in (*writers, *inner)}.values()
    stds = [x.current.std for x in every if x.current is not None and x.current.std is not None]
    is_written = all(scheme(layer) == "explicit" for layer in every)
    return is_written and len(stds) == len(every) and 0 < max(stds) <= _ALIKE * min(stds)


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


def _inner(chain: Sequence[Branch]) -> Iterator[Op]:
    """The operations of all branches."""
    for branch in chain:
        yield from branch.nodes


def _writers(chain: Sequence[Branch], given: Given) -> Iterator[str]:
    """The parameters of the layers whose results are added, without a learned scale behind them."""
    for branch in chain:
        ends: list[Op] = [op for op in branch.join.inputs if op in branch.nodes]
        end: Op = ends[0] if ends else branch.join
        while end.role in _AFTER and len(end.inputs) == 1:
            if type(end.args.get("factor")) is Operand:
                break
            end = end.inputs[0]
        if end is branch.last:
            yield given.weights(end)[-1].name
