"""The predicted signal through means and maxima over positions.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from initlint.graph.samples import (
    SIZE,
    Drawn,
    Triple,
    Value,
    each_of,
    moments,
    moved,
    permutation,
    windows_of,
)
from initlint.graph.signal_shared import of_largest, of_mean
from initlint.graph.signal_weighted import Sent, each

# Slopes are differences over this step.
_STEP = 1e-4
# The most positions of which the largest is sought.
MOST = 64
# Beyond so many positions, a mean over them is taken for Gaussian.
_MANY = 16
# How many positions are averaged over where that is not known.
TYPICAL = 49


def averaged(value: Value, count: float | None, size: tuple[int, ...] | None, bit: int) -> Sent:
    """A mean over `count` positions: E[y²] = E[x x'] + (E[x²] - E[x x']) / count.

    Each position of the input is in count · (results / positions) means, so its gradient is that of
    the results times (results / positions) / count.
    """
    number = count or TYPICAL
    result = replace(value, q=value.places + (value.q - value.places) / number, size=size)
    result = replace(result, samples=None, slopes=None, parts=(), latent=None)
    if size == ():
        result.places = result.q
    if number < _MANY and value.samples is not None:
        drawn = _window(value, int(number), _mean_of)
        result.samples = moved(drawn, result.mean, result.variance)
    else:
        result.sources = bit
    density = _density(value, size, number)
    return Sent(result, (density / number,), (of_mean(number, density, size),))


def largest(value: Value, count: float | None, size: tuple[int, ...] | None) -> Sent:
    """The largest of `count` positions, from samples.

    Behind an activation of a Gaussian value, the positions of one unit and one example are drawn as
    they are (`windows_of`). For any other value, two positions have the same sample with
    probability (E[x x'] - E[x]²) / Var x, and independent ones otherwise: so their covariance is
    right. The gradient goes to the largest alone, where the activation before may be steeper.
    """
    number = int(min(count or 9, MOST))
    steep = 1.0
    if value.latent is not None:
        before, function = value.latent
        windows_before = windows_of(before, number)
        found = [each_of(function, triple) for triple in windows_before]
        slope = _slope_of_largest(function, windows_before, found)
        steep = slope / value.slopes.mean if value.slopes and value.slopes.mean else 1.0
        drawn = Drawn(lambda: _largest_of(found))
    else:
        drawn = _window(value, number, _largest_of)
    q, mean, places, examples = moments(drawn)
    result = replace(value, q=q, mean=mean, places=places, examples=examples, units=mean**2)
    result = replace(result, samples=drawn, slopes=None, parts=(), size=size, latent=None)
    if size == ():
        result.places = q
    density = _density(value, size, number)
    return Sent(result, (density * steep,), (of_largest(density, size),))


def _largest_of(found: Sequence[Triple]) -> Triple:
    one, two, other = (
        [max(xs) for xs in zip(*(t[k] for t in found), strict=True)] for k in range(3)
    )
    return one, two, other


def _mean_of(found: Sequence[Triple]) -> Triple:
    one, two, other = (
        [sum(xs) / len(found) for xs in zip(*(t[k] for t in found), strict=True)] for k in range(3)
    )
    return one, two, other


def _slope_of_largest(
    function: Callable[[float], float], before: Sequence[Triple], behind: Sequence[Triple]
) -> float:
    """E[f'(x)²] at the largest f(x) of each window."""
    pairs = [zip(b[0], a[0], strict=True) for a, b in zip(before, behind, strict=True)]
    picked: list[tuple[float, float]] = [
        max(window, key=itemgetter(0)) for window in zip(*pairs, strict=True)
    ]
    return math.fsum(((function(x + _STEP) - y) / _STEP) ** 2 for y, x in picked) / SIZE


def _density(value: Value, size: tuple[int, ...] | None, count: float) -> float:
    """The number of results for each position."""
    if size is None or not value.size or len(value.size) != len(size):
        return 1 / count
    return math.prod(size) / math.prod(value.size)


def _window(value: Value, count: int, join: Callable[[Sequence[Triple]], Triple]) -> Drawn:
    """`count` positions in one."""
    same = max(0.0, value.places - value.mean**2) / value.variance if value.variance else 1.0
    golden = (math.sqrt(5) - 1) / 2

    def make(triple: Triple) -> Triple:
        found: list[Triple] = [triple]
        for turn in range(1, count):
            order = permutation(turn)
            indices = [i if golden * (i + 31 * turn) % 1 < same else order[i] for i in range(SIZE)]
            one, two, other = (list(map(values.__getitem__, indices)) for values in triple)
            found.append((one, two, other))
        return join(found)

    return Drawn(make, value.drawn())


def windows(args: Mapping[str, Any], value: Value) -> tuple[float | None, tuple[int, ...] | None]:
    """How many positions a pooling joins, and the positions of its result; None if not known."""
    if "output_size" in args:
        return _to_size(args["output_size"], value)
    kernel = args.get("kernel_size")
    rank = len(value.size) if value.size else (len(kernel) if isinstance(kernel, tuple) else 2)
    if kernel is None:
        return None, None
    sizes = each(kernel, rank, 1)
    strides = each(args.get("stride", kernel), rank, 1)
    pads, gaps = each(args.get("padding", 0), rank, 0), each(args.get("dilation", 1), rank, 1)
    if not value.size:
        return float(math.prod(sizes)), None
    rows = zip(value.size, sizes, strides, pads, gaps, strict=True)
    found = tuple(int((n + 2 * p - d * (k - 1) - 1) // s + 1) for n, k, s, p, d in rows)
    is_possible = all(length > 0 for length in found)
    return float(math.prod(sizes)), found if is_possible else None


def _to_size(wanted: Any, value: Value) -> tuple[float | None, tuple[int, ...] | None]:
    rank = len(value.size) if value.size else 2
    sizes = each(wanted, rank, 1)
    if all(size == 1 for size in sizes):
        return (float(math.prod(value.size)) if value.size else None), ()
    if not value.size:
        return 1.0, None
    whole = tuple(max(1, int(size)) for size in sizes)
    return max(1.0, math.prod(value.size) / math.prod(whole)), whole
