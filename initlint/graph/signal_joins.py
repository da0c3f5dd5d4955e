"""The predicted signal through factors, sums, products and concatenations.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from operator import add, mul

from initlint.graph.samples import (
    SIZE,
    Drawn,
    Triple,
    Value,
    combined,
    mapped,
    moments,
    moved,
    shuffled,
)
from initlint.graph.signal_shared import copies, of_copies
from initlint.graph.signal_weighted import Moments, Sent
from initlint.torchlib import catalog


def gated_half(value: Value, bit: int) -> Sent:
    """GLU: one half of the units times the sigmoid of the other, which is another draw."""
    row = catalog.activations()["sigmoid"].function()
    other = replace(
        value, samples=mapped(row, shuffled(value.drawn(), bit.bit_length())), sources=bit
    )
    q, mean, places, examples = moments(other.drawn())
    other = replace(other, q=q, mean=mean, places=places, examples=examples, units=mean**2)
    result = multiplied([value, other]).value
    return Sent(replace(result, width=value.width and value.width / 2), (q,))


def multiplied_by(value: Value, factor: float | Moments) -> Sent:
    """A product with a number, or with a parameter of known mean and std, one for each unit."""
    mean, spread = factor if isinstance(factor, tuple) else (factor, 0.0)
    square = mean**2 + spread**2
    same = mapped(lambda x: x * mean, value.samples) if not spread and value.samples else None
    result = replace(
        value,
        q=value.q * square,
        mean=value.mean * mean,
        places=value.places * square,
        examples=value.examples * square,
        units=value.units * mean**2,
        samples=same,
        parts=(),
        scores=value.scores and _scaled_scores(value, square),
    )
    return Sent(result, (square,))


def _scaled_scores(value: Value, square: float) -> tuple[float, float]:
    own, shared = value.scores or (0.0, 0.0)
    return (own, shared) if value.scaled else (own * square, shared * square)


def shifted_by(value: Value, offset: float | Moments, rank: int) -> Sent:
    """A sum with a number, or with a parameter: the same for all examples.

    With more than one dimension (`rank`), it differs from position to position.
    """
    mean, spread = offset if isinstance(offset, tuple) else (offset, 0.0)
    moved_mean = 2 * mean * value.mean + mean**2
    shared = moved_mean + (spread**2 if rank <= 1 else 0.0)
    result = replace(
        value,
        q=value.q + moved_mean + spread**2,
        mean=value.mean + mean,
        places=value.places + shared,
        examples=value.examples + moved_mean + spread**2,
        units=value.units + moved_mean,
        parts=(),
    )
    if value.samples is not None:
        result.samples = moved(value.samples, result.mean, result.variance)
    return Sent(result, (1.0,))


def added(values: Sequence[Value], signs: Sequence[float]) -> Sent:
    """A sum of streams.

    Streams that depend on different draws are independent, so that E[xy] = E[x] E[y]; otherwise
    the samples tell. The samples are added unit by unit, because a stream of rectified values plus
    a branch is not Gaussian.
    """
    total = values[0]
    for value, sign in zip(values[1:], signs[1:], strict=True):
        other = value if sign > 0 else multiplied_by(value, -1.0).value
        total = _sum(total, other)
    numbers = copies([value.size for value in values])
    return Sent(total, tuple(numbers), tuple(map(of_copies, numbers)))


def _sum(one: Value, two: Value) -> Value:
    scores = one.scores or two.scores
    width = one.width if two.width in (None, 1) else two.width
    size = one.size if one.size else two.size
    samples = combined(add, one.drawn(), two.drawn())
    cross = 2 * one.mean * two.mean
    sources = one.sources | two.sources
    result = Value(one.q + two.q + cross, one.mean + two.mean, sources=sources, scores=scores)
    result.places = one.places + two.places + cross
    result.examples = one.examples + two.examples + cross
    result.units = one.units + two.units + cross
    result.samples = samples
    if one.sources & two.sources:
        result.q, result.mean, result.places, result.examples = moments(samples)
    elif one.samples is not None or two.samples is not None:
        result.samples = moved(samples, result.mean, result.variance)
    result.width, result.size = width, size
    result.profile = one.profile if one.q >= two.q else two.profile
    whole = one.q + two.q
    result.noise = (one.noise * one.q + two.noise * two.q) / whole if whole else 0.0
    return replace(result, scaled=one.scaled or two.scaled)


def multiplied(values: Sequence[Value]) -> Sent:
    """A product of computed values: E[x²y²] = E[x²] E[y²] where they depend on different draws.

    A gate is one of them. Back, each factor gets the gradient times the other one, and a factor of
    many positions the sum of theirs.
    """
    numbers = copies([value.size for value in values])
    shared = []
    for place, number in enumerate(numbers):
        others = [value for k, value in enumerate(values) if k != place]
        shares = [min(1.0, value.places / value.q) if value.q else 1.0 for value in others]
        shared.append(of_copies(number, math.prod(shares)))
    total, backs = values[0], [1.0] * len(values)
    for place, value in enumerate(values[1:], 1):
        backs = [back * value.q for back in backs]
        backs[place] = total.q
        samples = combined(mul, total.drawn(), value.drawn())
        product = Value(total.q * value.q, total.mean * value.mean)
        product.places, product.examples = (
            total.places * value.places,
            total.examples * value.examples,
        )
        product.units = total.units * value.units
        if total.sources & value.sources:
            product.q, product.mean, product.places, product.examples = moments(samples)
        else:
            samples = moved(samples, product.mean, product.variance)
        product.samples, product.sources = samples, total.sources | value.sources
        product.width = total.width if value.width in (None, 1) else value.width
        product.size = total.size or value.size
        product.noise = total.noise + value.noise
        total = product
    return Sent(total, tuple(map(mul, backs, numbers)), tuple(shared))


def side_by_side(values: Sequence[Value], along_places: bool) -> Sent:
    """A concatenation: a mixture of its parts, by their numbers of units (or of positions)."""
    counts = [_count(value, along_places) for value in values]
    known = all(count is not None for count in counts)
    weights = [float(c or 1) if known else 1.0 for c in counts]
    whole = sum(weights)
    shares = [w / whole for w in weights]
    pairs = list(zip(shares, values, strict=True))
    mean = sum(w * v.mean for w, v in pairs)
    result = Value(sum(w * v.q for w, v in pairs), mean)
    result.examples = sum(w * v.examples for w, v in pairs)
    own = sum(w * w * (v.units - v.mean**2) for w, v in pairs)
    result.places = sum(w * v.places for w, v in pairs)
    result.units = mean**2 + max(0.0, own)
    if along_places:
        apart = mean**2
        result.places = apart + sum(w * w * max(0.0, v.places - v.mean**2) for w, v in pairs)
        result.units = sum(w * v.units for w, v in pairs)
    result.samples = _mixed(pairs)
    for value in values:
        result.sources |= value.sources
    result.noise = max(value.noise for value in values)
    result.width, result.size = values[0].width, values[0].size
    if along_places:
        result.size = (int(whole),) if known else None
    else:
        result.width = whole if known else None
        result.parts = tuple(pairs)
    return Sent(result, (1.0,) * len(values))


def _count(value: Value, along_places: bool) -> float | None:
    if along_places:
        return None if value.size is None else float(math.prod(value.size))
    return value.width


def _mixed(pairs: Sequence[tuple[float, Value]]) -> Drawn:
    """Samples of each part in turn, as often as its share says."""
    ends = list(accumulate(share for share, _ in pairs))[:-1]
    golden = (math.sqrt(5) - 1) / 2

    def make(*triples: Triple) -> Triple:
        chosen = [triples[bisect_right(ends, golden * place % 1)] for place in range(SIZE)]
        one, two, other = ([c[k][i] for i, c in enumerate(chosen)] for k in range(3))
        return one, two, other

    return Drawn(make, *(value.drawn() for _, value in pairs))
