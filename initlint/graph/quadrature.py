"""Moments of a function of a Gaussian value, by quadrature and Hermite polynomials.

512 samples give E[f(x) f(x')] of two nearly independent values to a few percent of E[f(x)²]. Behind
a batch norm and a mean over positions, that would be many times the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from operator import add, mul, sub
from typing import NamedTuple

from initlint.graph.samples import Value

# The grid: so many standard deviations to either side, in steps of this size; 0 is a point of it,
# where most activations have their kink.
_REACH, _STEP = 7.0, 0.05
# So many polynomials are used.
_COUNT = 16


class Found(NamedTuple):
    """E[y²], E[y], E[y y'] of two positions and of two examples, and the slopes that belong to it.

    `slope` is E[f'(x) f'(x')] of two positions.
    """

    moments: tuple[float, float, float, float]
    slope: float


def gaussian_moments(function: Callable[[float], float], value: Value, slope: float = 0.0) -> Found:
    """The moments of y = f(x), where `slope` is E[f'(x)²].

    Of a Gaussian x with f(x) = sum_k c_k h_k(x) in normalised Hermite polynomials,

        E[f(x) f(x')] = sum_k c_k² ρ^k,  ρ the correlation of x and x'

    (Mehler's formula; O'Donnell 2014, Analysis of Boolean Functions, prop. 11.31). E[f'(x) f'(x')]
    is its derivative by the covariance of x and x' (Price's theorem).
    """
    points, weights, polynomials = _grid()
    centre, spread = value.mean, math.sqrt(value.variance)
    values = [function(centre + spread * t) for t in points]
    middle = len(points) // 2
    right, left = values[middle + 1 :], values[middle - 1 :: -1]
    # Polynomials are even and odd in turn.
    sides = (list(map(add, right, left)), list(map(sub, right, left)))
    coefficients = [
        sum(map(mul, half, sides[k % 2])) + at_zero * values[middle]
        for k, (at_zero, half) in enumerate(polynomials)
    ]
    squares = [coefficient**2 for coefficient in coefficients]
    mean = coefficients[0]
    q: float = sum(map(mul, weights, map(mul, values, values)))

    def correlation(before: float) -> float:
        share = (before - centre**2) / value.variance if value.variance > 0 else 1.0
        return min(1.0, max(0.0, share))

    def common(share: float) -> float:
        found = math.fsum(square * share**k for k, square in enumerate(squares))
        return found + max(0.0, q - math.fsum(squares)) * float(share**_COUNT)

    places, examples = map(correlation, (value.places, value.examples))
    slopes = [k * square / value.variance for k, square in enumerate(squares)] if spread else []
    together = math.fsum(part * places ** (k - 1) for k, part in enumerate(slopes) if k)
    together += max(0.0, slope - math.fsum(slopes)) * float(places**_COUNT)
    return Found((q, mean, common(places), common(examples)), together)


class _Grid(NamedTuple):
    """Points, their weights, and every polynomial times the weights: at 0, and right of it."""

    points: Sequence[float]
    weights: Sequence[float]
    polynomials: Sequence[tuple[float, Sequence[float]]]


@cache
def _grid() -> _Grid:
    count = round(_REACH / _STEP)
    points = [_STEP * k for k in range(-count, count + 1)]
    densities = [math.exp(-t * t / 2) for t in points]
    whole = sum(densities)
    weights = [density / whole for density in densities]
    before, now = [0.0] * len(points), weights
    polynomials = []
    for k in range(_COUNT):
        polynomials.append((now[count], now[count + 1 :]))
        after = [
            (t * x - math.sqrt(k) * y) / math.sqrt(k + 1)
            for t, x, y in zip(points, now, before, strict=True)
        ]
        before, now = now, after
    return _Grid(points, weights, polynomials)
