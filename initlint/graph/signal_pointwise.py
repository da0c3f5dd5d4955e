"""The predicted signal through functions of single values: activations, exp, powers, sines.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from operator import mul
from typing import Any, NamedTuple

from initlint.graph.quadrature import gaussian_moments
from initlint.graph.samples import (
    SIZE,
    Drawn,
    Samples,
    Slopes,
    Value,
    first_samples,
    mapped,
    moment,
    moments,
    reordered,
)
from initlint.graph.signal_weighted import Sent
from initlint.torchlib import catalog

_Moments = tuple[float, float, float, float]
# Slopes are differences over this step.
_STEP = 1e-4


def activated(value: Value, activation: str, args: Mapping[str, Any]) -> Sent | None:
    """An activation, by its formula in `rules/activations.toml`, at every sample.

    Back, E[g_x²] = E[f'(x)²] E[g_y²] (Schoenholz 2017, eq. 7). None without a formula.
    """
    row = catalog.activations().get(activation)
    if row is None or not row.formula:
        return None
    if activation == "sin":
        return sine(value, float(args.get("omega", 1.0)))
    return _elementwise(value, row.function(args))


def sine(value: Value, omega: float) -> Sent:
    """sin(ωx). Of a Gaussian x with mean m and variance v, in closed form:

        E[y²] = (1 - e^(-2ω²v) cos 2ωm) / 2,  E[y] = e^(-ω²v/2) sin ωm
        E[y y'] = (e^(-ω²(v - c)) - e^(-ω²(v + c)) cos 2ωm) / 2  with the covariance c

    from sin a sin b = (cos(a - b) - cos(a + b)) / 2 and E[cos z] of a Gaussian z. The slope is
    ω cos(ωx). Samples that are further apart than a period would be too few.
    """
    sent = _elementwise(value, lambda x: math.sin(omega * x))
    if value.samples is not None and not value.is_gaussian:
        return sent
    square, centre = omega**2, value.mean
    wave = math.cos(2 * omega * centre)

    def common(before: float) -> float:
        c = min(max(0.0, before - centre**2), value.variance)
        near, far = square * (value.variance - c), square * (value.variance + c)
        return (math.exp(-near) - math.exp(-far) * wave) / 2

    result = sent.value
    result.q = (1 - math.exp(-2 * square * value.variance) * wave) / 2
    result.mean = math.exp(-square * value.variance / 2) * math.sin(omega * centre)
    result.places, result.examples = common(value.places), common(value.examples)
    result.units = result.mean**2
    slope = square * (1 - result.q)
    factor = slope / sent.backs[0] if sent.backs[0] else 0.0
    each = result.slopes.each if result.slopes else list
    c = min(max(0.0, value.places - centre**2), value.variance)
    near, far = square * (value.variance - c), square * (value.variance + c)
    both = square * (math.exp(-near) + math.exp(-far) * wave) / 2
    result.slopes = Slopes(slope, lambda: [factor * part for part in each()], lambda: both)
    return Sent(result, (slope,))


def computed(value: Value, name: str, numbers: Sequence[float]) -> Sent | None:
    """A function of torch's that is no activation, at every sample; None if it is not known."""
    function = _FUNCTIONS.get(name)
    if function is None or (name in ("pow", "ipow") and len(numbers) != 1):
        return None
    try:
        return _elementwise(value, lambda x: function(x, *numbers))
    except (ArithmeticError, ValueError, TypeError):
        return None


def _positive(x: float) -> float:
    return max(abs(x), 1e-12)


def _clamp(x: float, low: float = -math.inf, high: float = math.inf) -> float:
    return min(max(x, low), high)


_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "exp": lambda x: math.exp(min(x, 30.0)),
    "sin": math.sin,
    "cos": math.cos,
    "square": lambda x: x * x,
    "pow": lambda x, power: _positive(x) ** power if power % 1 else x**power,
    "abs": abs,
    "sqrt": lambda x: math.sqrt(_positive(x)),
    "erf": math.erf,
    "atan": math.atan,
    "clamp": _clamp,
    "clip": _clamp,
}


class _Response(NamedTuple):
    """What follows from a function of a value.

    `found` are the moments of the result, `rises` the derivatives at the first samples, `slope` is
    the mean of their squares, `elasticity` d log E[f²] / d log E[x²], of which a bounded function
    has little, `fourth` E[f⁴] / E[f²]², `shared` gives E[f'(x) f'(x')] of two positions.
    """

    found: _Moments
    rises: Samples
    slope: float
    elasticity: float
    fourth: float
    shared: Callable[[], float]


def _rises(function: Callable[[float], float], before: Samples, behind: Samples) -> Samples:
    """The derivative at every sample before the function, whose values are behind it."""
    ahead = [function(x + _STEP) for x in before]
    return [(y - x) / _STEP for x, y in zip(behind, ahead, strict=True)]


def _response(
    rises: Samples,
    slope: float,
    before: Samples,
    behind: Samples,
    found: _Moments,
    shared: Callable[[], float],
) -> _Response:
    """By the first samples before and behind the function, and the moments of its result."""
    q = found[0]
    products = map(mul, map(mul, before, behind), rises)
    elasticity = sum(products) / SIZE / q if q > 0 else 1.0
    fourth = sum((x * x / q) ** 2 for x in behind) / SIZE if q > 0 else 1.0
    return _Response(found, rises, slope, elasticity, fourth, shared)


@lru_cache(maxsize=64)
def _of_gaussian(
    function: Callable[[float], float], q: float, mean: float, places: float, examples: float
) -> _Response:
    """The response of a Gaussian value, which many layers and both predictions have alike."""
    value = Value(q, mean, places, examples)
    before = first_samples(value)
    behind = list(map(function, before))
    rises = _rises(function, before, behind)
    slope = moment(rises, rises)
    found = gaussian_moments(function, value, slope)
    return _response(rises, slope, before, behind, found.moments, lambda: found.slope)


def _of_samples(
    function: Callable[[float], float], value: Value, samples: Drawn, result: Drawn
) -> _Response:
    """The response of a value whose samples are known."""
    (before, place, _), (behind, there, _) = samples.triple(), result.triple()
    rises = _rises(function, before, behind)
    slope = moment(rises, rises)

    def shared() -> float:
        return moment(rises, _rises(function, place, there))

    if value.is_gaussian:
        gaussian = gaussian_moments(function, value, slope)
        return _response(rises, slope, before, behind, gaussian.moments, lambda: gaussian.slope)
    return _response(rises, slope, before, behind, moments(result), shared)


def _squares_of(rises: Samples, turn: int | None = None) -> Samples:
    """The squares of derivatives, in another order if `turn` says which."""
    squares = [rise * rise for rise in rises]
    return squares if turn is None else reordered(squares, turn)


def _elementwise(value: Value, function: Callable[[float], float]) -> Sent:
    is_gaussian = value.samples is None or value.is_gaussian
    if value.samples is None:
        of = _of_gaussian(function, value.q, value.mean, value.places, value.examples)
        # The samples of a value are in the order that its sources give.
        each = partial(_squares_of, of.rises, value.sources.bit_length())
        samples = mapped(function, value.drawn())
    else:
        samples = mapped(function, value.samples)
        of = _of_samples(function, value, value.samples, samples)
        each = partial(_squares_of, of.rises)
    q, mean, places, examples = of.found
    # What two units have in common goes through f in proportion.
    part = (value.units - value.mean**2) / value.variance if value.variance > 0 else 0.0
    units = mean**2 + min(1.0, max(0.0, part)) * max(0.0, q - mean**2)
    result = replace(value, q=q, mean=mean, places=places, examples=examples, units=units)
    result = replace(result, samples=samples, parts=(), scores=None, shares=None)
    result.slopes = Slopes(of.slope, each, of.shared)
    result.latent = (value, function) if is_gaussian else None
    share = min(1.0, value.examples / value.q) if value.q > 0 else 0.0
    result.noise = value.noise * min(1.0, of.elasticity**2)
    # What f adds to the relative variance of a unit's y²: 3 for ReLU, whose units are off or on.
    steep = of.fourth - 1 - 2 * of.elasticity**2
    result.noise += max(0.0, steep) * share**2 / (value.width or 64)
    return Sent(result, (of.slope,))
