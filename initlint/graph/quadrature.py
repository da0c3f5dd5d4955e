"""Moments of a function of a Gaussian value, by quadrature and Hermite polynomials.

512 samples give E[f(x) f(x')] of two nearly independent values to a few percent of E[f(x)²]. Behind
a batch norm and a mean over positions, that would be many times the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from operator import mul

from initlint.graph.samples import Value

# The grid: so many standard deviations to either side, in steps of this size; 0 is a point of it,
# where most activations have their kink.
_REACH, _STEP = 7.0, 0.05
# So many polynomials are used.
_COUNT = 16


def gaussian_moments(
    function: Callable[[float], float], value: Value
) -> tuple[float, float, float, float]:
    """E[y²], E[y], and E[y y'] of two positions and of two examples, for y = f(x).

    Of a Gaussian x with f(x) = sum_k c_k h_k(x) in normalised Hermite polynomials,

        E[f(x) f(x')] = sum_k c_k² ρ^k,  ρ the correlation of x and x'

    (Mehler's formula; O'Donnell 2014, Analysis of Boolean Functions, prop. 11.31).
    """
    points, weighted = _grid()
    centre, spread = value.mean, math.sqrt(value.variance)
    values = [function(centre + spread * t) for t in points]
    squares = [sum(map(mul, row, values)) ** 2 for row in weighted]
    q: float = sum(map(mul, weighted[0], map(mul, values, values)))
    mean: float = sum(map(mul, weighted[0], values))

    def common(before: float) -> float:
        share = (before - centre**2) / value.variance if value.variance > 0 else 1.0
        share = min(1.0, max(0.0, share))
        found = math.fsum(square * share**k for k, square in enumerate(squares))
        return found + max(0.0, q - math.fsum(squares)) * float(share**_COUNT)

    return q, mean, common(value.places), common(value.examples)


@cache
def _grid() -> tuple[Sequence[float], Sequence[Sequence[float]]]:
    """The points, and for every polynomial its values there times the Gaussian weights."""
    count = round(_REACH / _STEP)
    points = [_STEP * k for k in range(-count, count + 1)]
    weights = [math.exp(-t * t / 2) for t in points]
    whole = sum(weights)
    before, now = [0.0] * len(points), [w / whole for w in weights]
    rows = [now]
    for k in range(_COUNT - 1):
        after = [
            (t * x - math.sqrt(k) * y) / math.sqrt(k + 1)
            for t, x, y in zip(points, now, before, strict=True)
        ]
        before, now = now, after
        rows.append(now)
    return points, rows
