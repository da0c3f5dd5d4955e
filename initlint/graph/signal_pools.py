"""The predicted signal through means and maxima over positions.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import add
from typing import Any

from initlint.graph.samples import (
    SIZE,
    Triple,
    Value,
    combined,
    mapped,
    moments,
    moved,
    permutation,
    windows_of,
)
from initlint.graph.signal_weighted import Sent, each

# Slopes are differences over this step.
_STEP = 1e-4
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
        result.samples = _window(value, int(number), False)
        result.samples = moved(result.samples, result.mean, result.variance)
    else:
        result.sources = bit
    return Sent(result, (_density(value, size, number) / number,))


def largest(value: Value, count: float | None, size: tuple[int, ...] | None) -> Sent:
    """The largest of `count` positions, from samples.

    Behind an activation of a Gaussian value, the positions of one unit and one example are drawn as
    they are (`windows_of`). For any other value, two positions have the same sample with
    probability (E[x x'] - E[x]²) / Var x, and independent ones otherwise: so their covariance is
    right. The gradient goes to the largest alone, where the activation before may be steeper.
    """
    number = int(min(count or 9, 64))
    steep = 1.0
    if value.latent is not None:
        before, function = value.latent
        found = [mapped(function, triple) for triple in windows_of(before, number)]
        slopes = _slopes(function, before, number)
        mean_slope = sum(value.slopes or ()) / SIZE
        steep = slopes / mean_slope if mean_slope else 1.0
        samples = _largest_of(found)
    else:
        samples = _window(value, number, True)
    q, mean, places, examples = moments(samples)
    result = replace(value, q=q, mean=mean, places=places, examples=examples, units=mean**2)
    result = replace(result, samples=samples, slopes=None, parts=(), size=size, latent=None)
    if size == ():
        result.places = q
    return Sent(result, (_density(value, size, number) * steep,))


def _largest_of(found: Sequence[Triple]) -> Triple:
    one, two, other = (
        [max(xs) for xs in zip(*(t[k] for t in found), strict=True)] for k in range(3)
    )
    return one, two, other


def _slopes(function: Callable[[float], float], before: Value, count: int) -> float:
    """E[f'(x)²] at the largest f(x) of each window."""
    columns = zip(*(triple[0] for triple in windows_of(before, count)), strict=True)
    picked = [max(xs, key=function) for xs in columns]
    return sum(((function(x + _STEP) - function(x)) / _STEP) ** 2 for x in picked) / SIZE


def _density(value: Value, size: tuple[int, ...] | None, count: float) -> float:
    """The number of results for each position."""
    if size is None or not value.size or len(value.size) != len(size):
        return 1 / count
    return math.prod(size) / math.prod(value.size)


def _window(value: Value, count: int, is_largest: bool) -> Triple:
    """The largest or the mean of `count` positions."""
    triple = value.triple()
    same = max(0.0, value.places - value.mean**2) / value.variance if value.variance else 1.0
    golden = (math.sqrt(5) - 1) / 2
    found: list[Triple] = [triple]
    for turn in range(1, count):
        order = permutation(turn)
        indices = [i if golden * (i + 31 * turn) % 1 < same else order[i] for i in range(SIZE)]
        one, two, other = (list(map(values.__getitem__, indices)) for values in triple)
        found.append((one, two, other))
    if is_largest:
        return _largest_of(found)
    total = found[0]
    for window in found[1:]:
        total = combined(add, total, window)
    return mapped(lambda x: x / count, total)


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
