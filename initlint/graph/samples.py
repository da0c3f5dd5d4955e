"""Value: the predicted distribution of one value of the graph, as moments and as samples.

A value is described for one unit (a feature, a channel) at two positions (pixels, tokens) of one
example and at a position of another: three numbers that come together. `SIZE` such triples stand
for the distribution. They are the same in every run: a low-discrepancy sequence, made exactly
uncorrelated, so that the moments of a Gaussian value are exact.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import mul
from statistics import NormalDist

SIZE = 512
Samples = list[float]
Triple = tuple[Samples, Samples, Samples]
Profile = tuple[tuple[float, ...], ...]
# With so many permutations, two values of one sum hardly ever have the same.
_PERMUTATIONS = 61


class Drawn:
    """Samples that are made when they are first asked for, from those of other values.

    Most values never need theirs: behind a weight or a norm the moments are enough. Those that are
    missing are made in a loop, so that the length of a stream of residual blocks does not matter.
    """

    __slots__ = ("_made", "_make", "_sources")

    def __init__(self, make: Callable[..., Triple], *sources: Drawn) -> None:
        self._make, self._sources = make, sources
        self._made: Triple | None = None

    def triple(self) -> Triple:
        """The samples."""
        pending = [self]
        while pending:
            last = pending[-1]
            missing = [one for one in last._sources if one._made is None]
            pending += missing
            if not missing:
                last._made = last._made or last._make(*(one._made for one in last._sources))
                last._sources = ()
                pending.pop()
        assert self._made is not None
        return self._made


@dataclass(frozen=True, slots=True)
class Slopes:
    """The squared derivative of a function: its mean, and how to have it at each sample.

    `shared` gives E[f'(x) f'(x')] of two positions.
    """

    mean: float
    each: Callable[[], Samples]
    shared: Callable[[], float]


@dataclass(slots=True, eq=False)
class Value:
    """The distribution of one value.

    - `q`: E[x²]; `mean`: E[x] over everything.
    - `places`: E[x x'] of one unit at two positions of an example; `examples`: of two examples.
    - `units`: E[x x'] of two units at one position.
    - `sources`: a bit for each random draw that the samples depend on, unit by unit.
    - `width`: the number of units; `size`: the positions of an example. None where not known.
    - `profile`: how E[x²] goes over the positions in each dimension, with the mean 1; None if it
      is even. Zeros in the padding leave less at the edges.
    - `noise`: the variance of log q that the finite width of the layers causes.
    - `parts`: of a concatenation, each value with its share of the units.
    - `scores`: of attention's scores, the variance over the keys, and the covariance of two
      queries; `scaled` is True if the width of a head is not known, and a division by its root is
      taken for granted. `shares`: T times E[a²] of their softmax over T keys, and T times E[a a'].
    - `slopes`: of an activation's result, the squared derivative at the first samples of each
      triple; `latent`: the Gaussian value before it, if it was one, and the function.
    """

    q: float
    mean: float = 0.0
    places: float = 0.0
    examples: float = 0.0
    units: float = 0.0
    samples: Drawn | None = None
    sources: int = 0
    width: float | None = None
    size: tuple[int, ...] | None = None
    profile: Profile | None = None
    noise: float = 0.0
    parts: tuple[tuple[float, Value], ...] = ()
    scores: tuple[float, float] | None = None
    scaled: bool = False
    shares: tuple[float, float] | None = None
    slopes: Slopes | None = None
    latent: tuple[Value, Callable[[float], float]] | None = None
    is_gaussian: bool = False

    @property
    def rms(self) -> float:
        """The typical root mean square: the median over draws of the weights.

        E[x²] of a draw is about lognormal with the variance `noise`; its median is smaller than its
        mean by the factor exp(-noise / 2).
        """
        return math.sqrt(max(0.0, self.q)) * math.exp(-self.noise / 4)

    @property
    def variance(self) -> float:
        """E[x²] - E[x]²."""
        return max(0.0, self.q - self.mean * self.mean)

    @property
    def is_one_position(self) -> bool:
        """Whether an example has one position only, as a vector."""
        return self.size is not None and math.prod(self.size) == 1

    def profile_of_size(self) -> Profile:
        """How E[x²] goes over the positions; even where that is not known."""
        size = self.size or ()
        if self.profile is not None and tuple(map(len, self.profile)) == size:
            return self.profile
        return tuple((1.0,) * length for length in size)

    def drawn(self) -> Drawn:
        """Its samples; those of a Gaussian value if it has none yet."""
        if self.samples is None:
            self.samples, self.is_gaussian = gaussian(self), True
        return self.samples


def gaussian(value: Value) -> Drawn:
    """Samples of a Gaussian value with the moments of `value`."""
    same = Value(value.q, value.mean, value.places, value.examples, sources=value.sources)
    return Drawn(lambda: windows_of(same, 1)[0])


def first_samples(value: Value) -> Samples:
    """The first sample of every triple of a Gaussian value, in the order for no sources."""
    centre, (a, b, c) = value.mean, _spreads(value)
    unit, example, _, place = _bases()[:4]
    return [centre + a * x + b * y + c * z for x, y, z in zip(unit, example, place, strict=True)]


def _spreads(value: Value) -> tuple[float, float, float]:
    """The std of what a unit has in all examples, of what it has in one, and at one position."""
    square, variance = value.mean**2, value.variance
    examples = min(max(0.0, value.examples - square), variance)
    places = min(max(examples, value.places - square), variance)
    return math.sqrt(examples), math.sqrt(places - examples), math.sqrt(variance - places)


def windows_of(value: Value, count: int) -> list[Triple]:
    """Samples of a Gaussian value at `count` positions in each of two windows and two examples.

    x = mean + a (what the unit has in all examples) + b (in this example) + c (at this position).
    """
    bases = _ordered_bases(value.sources.bit_length() % _PERMUTATIONS)
    centre, (a, b, c) = value.mean, _spreads(value)
    unit = [centre + a * x for x in bases[0]]
    here, there = ([x + b * y for x, y in zip(unit, bases[k], strict=True)] for k in (1, 2))
    found: list[Triple] = []
    for turn in range(count):
        own = bases[3:] if not turn else [reordered(base, turn) for base in bases[3:]]
        one, two, other = (
            [x + c * y for x, y in zip(known, part, strict=True)]
            for known, part in zip((here, here, there), own, strict=True)
        )
        found.append((one, two, other))
    return found


def moment(one: Samples, other: Samples) -> float:
    """E[x y]."""
    total: float = sum(map(mul, one, other))
    return total / len(one)


def average(values: Samples) -> float:
    """E[x]."""
    return sum(values) / len(values)


def moments(samples: Drawn) -> tuple[float, float, float, float]:
    """E[x²], E[x], and E[x x'] of two positions and of two examples."""
    one, two, other = samples.triple()
    q = (moment(one, one) + moment(two, two) + moment(other, other)) / 3
    mean = (average(one) + average(two) + average(other)) / 3
    return q, mean, moment(one, two), (moment(one, other) + moment(two, other)) / 2


def mapped(function: Callable[[float], float], samples: Drawn) -> Drawn:
    """A function of every sample."""
    return Drawn(partial(each_of, function), samples)


def each_of(function: Callable[[float], float], triple: Triple) -> Triple:
    """A function of every sample, at once."""
    one, two, other = triple
    return list(map(function, one)), list(map(function, two)), list(map(function, other))


def combined(function: Callable[[float, float], float], one: Drawn, two: Drawn) -> Drawn:
    """A function of each pair of samples of two values."""

    def make(first: Triple, second: Triple) -> Triple:
        a, b, c = (list(map(function, x, y)) for x, y in zip(first, second, strict=True))
        return a, b, c

    return Drawn(make, one, two)


def moved(samples: Drawn, mean: float, variance: float) -> Drawn:
    """The samples shifted and scaled to a mean and a variance."""

    def make(triple: Triple) -> Triple:
        one, two, _ = triple
        centre = (average(one) + average(two)) / 2
        spread = (moment(one, one) + moment(two, two)) / 2 - centre**2
        scale = math.sqrt(variance / spread) if spread > 0 else 0.0
        a, b, c = ([mean + scale * (x - centre) for x in values] for values in triple)
        return a, b, c

    return Drawn(make, samples)


def shuffled(samples: Drawn, turn: int) -> Drawn:
    """The triples in another order: those of another unit."""

    def make(triple: Triple) -> Triple:
        one, two, other = (reordered(values, turn) for values in triple)
        return one, two, other

    return Drawn(make, samples)


def reordered(values: Samples, turn: int) -> Samples:
    """Samples in one of their orders."""
    return list(map(values.__getitem__, permutation(turn)))


def permutation(turn: int) -> Sequence[int]:
    """One of the orders of the samples."""
    return _orders()[turn % _PERMUTATIONS]


@cache
def _bases() -> Sequence[Samples]:
    """Six Gaussian samples of mean 0 and variance 1 that are uncorrelated.

    The additive sequence of Roberts (2018, "The unreasonable effectiveness of quasirandom
    sequences") in six dimensions through the Gaussian quantile function, each point with its
    opposite, so that odd moments are 0; then Gram-Schmidt.
    """
    # The root of x**7 = x + 1.
    root, normal = 1.1127756842787055, NormalDist()
    bases: list[Samples] = []
    for dimension in range(6):
        step = root ** -(dimension + 1)
        half = [normal.inv_cdf((0.5 + step * k) % 1) for k in range(1, SIZE // 2 + 1)]
        values = [*half, *(-x for x in half)]
        for other in bases:
            share = moment(values, other)
            values = [x - share * y for x, y in zip(values, other, strict=True)]
        scale = math.sqrt(moment(values, values))
        bases.append([x / scale for x in values])
    return bases


@cache
def _ordered_bases(turn: int) -> Sequence[Samples]:
    """The Gaussian samples in one of their orders."""
    return [reordered(base, turn) for base in _bases()]


@cache
def _orders() -> Sequence[Sequence[int]]:
    """Permutations of the samples, always the same ones."""
    chance = random.Random(0)
    return [chance.sample(range(SIZE), SIZE) for _ in range(_PERMUTATIONS)]
