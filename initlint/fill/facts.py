"""Counts over a tensor's elements that tell PyTorch's default draw from everything else.

Facts of shards add up to those of the whole parameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy
import torch

# Elements that moments are counted over; extremes are counted over all.
_SAMPLE = 2**16
# From so many equal elements on, values are a structure (an identity, a filter), not a draw.
_STRUCTURE = 0.25
# Elements among which equal ones are counted.
_FEW = 2**12
# Below and beyond these, the largest number of a tensor is a leftover in memory, no weight. Smaller
# ones beside it are no sign: what weight decay leaves of a dead filter is as small as an address.
_LEAST, _MOST = 1e-30, 1e12
# A default draw is mistaken for something else once in two million times (5 standard errors).
_ERRORS, _CHANCE = 5.0, 5e-7
# Smaller tensors must also lie on the grid that torch draws float32 numbers from.
_SMALL, _GRID, _NEAR = 1024, 2**24, 0.1
_RESOLUTION = {torch.bfloat16: 2**-8, torch.float16: 2**-10}
# Numbers that somebody wrote have at most so many digits; among so many elements it is looked up.
_DIGITS, _LOOKED_UP = 3, 64
# Neighbours of a draw are not correlated, and few of its elements are far beyond its std.
_CORRELATED, _PEAKED, _MANY = 0.3, 12.0, 256
# Of a wave, neighbours are alike or opposite; in rows of so many columns that shows.
_WAVY, _COLUMNS, _ENOUGH = 0.45, 16, 1024
# So many elements are in order by chance once in two million times (2 / 10!).
_ORDERED = 10
# Among fewer coarse numbers, some are equal by chance; among more fine ones, two may be.
_COARSE, _PAIR = 32, 8


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of the elements of a tensor, or of one shard of it.

    `count` elements lie between `low` and `high`; `broken` is the number of NaNs (1 for any).
    Of `sampled` of them: the sums of their first, second and fourth powers, the sum of products of
    neighbours, and the share of them that `repeats` another. `off` counts elements that are not on
    the grid of PyTorch's default, among small float32 tensors. `resolution` is that of the dtype
    that the numbers have, or have had; 0 for float32. `written` says that all elements that were
    looked at are numbers of at most three digits, as people write them; `rising` and `falling`,
    that they are in order, from the first of the `ends` to the last. `waves` is the correlation of
    a row's neighbours, whatever its sign, times its length, over rows of `waved` elements in all.
    """

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    broken: int = 0
    sampled: int = 0
    total: float = 0.0
    square: float = 0.0
    fourth: float = 0.0
    neighbours: float = 0.0
    repeats: float = 0.0
    off: int = 0
    resolution: float = 0.0
    written: bool = True
    rising: bool = True
    falling: bool = True
    ends: tuple[float, float] | None = None
    waves: float = 0.0
    waved: int = 0

    def __add__(self, other: Facts) -> Facts:
        """The facts of both; those of `other` come behind."""
        step = other.ends[0] - self.ends[1] if self.ends and other.ends else 0.0
        ends = self.ends or other.ends
        return Facts(
            count=self.count + other.count,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            broken=max(self.broken, other.broken),
            sampled=self.sampled + other.sampled,
            total=self.total + other.total,
            square=self.square + other.square,
            fourth=self.fourth + other.fourth,
            neighbours=self.neighbours + other.neighbours,
            repeats=max(self.repeats, other.repeats),
            off=self.off + other.off,
            resolution=max(self.resolution, other.resolution),
            written=self.written and other.written,
            rising=self.rising and other.rising and step >= 0,
            falling=self.falling and other.falling and step <= 0,
            ends=(ends[0], other.ends[1]) if ends and other.ends else ends,
            waves=self.waves + other.waves,
            waved=self.waved + other.waved,
        )

    @property
    def largest(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high)) if self.count else 0.0

    @property
    def std(self) -> float:
        """The root mean square, about the mean where that is not chance."""
        n = max(1, self.sampled)
        is_chance = self.mean**2 * n <= _ERRORS**2 * self.square / n
        return math.sqrt(max(0.0, self.square / n - (0.0 if is_chance else self.mean**2)))

    @property
    def mean(self) -> float:
        """The mean."""
        return self.total / max(1, self.sampled)

    @property
    def is_plausible(self) -> bool:
        """Whether the elements may be what somebody wrote: finite, neither all minute nor huge."""
        return not self.broken and (not self.largest or _LEAST < self.largest < _MOST)

    @property
    def is_structured(self) -> bool:
        """Whether the elements are hardly a draw: an identity, with noise too, a filter, a table.

        Many of them are equal but for the sign, or they are numbers that somebody wrote, or are in
        order (a grid), or neighbours are alike (smooth filters) or go up and down together (waves),
        or few are far larger than the rest (a diagonal).
        """
        n, spread = self.sampled, self.square - self.total * self.mean
        if self.repeats >= _STRUCTURE or (n > 1 and self.written) or self._is_ordered:
            return True
        if self.waved >= _ENOUGH and self.waves / self.waved > _WAVY:
            return True
        if n < _MANY or spread <= 0:
            return False
        alike = (self.neighbours - self.total * self.mean) / spread
        is_centred = self.mean**2 * n < spread / 4
        is_peaked = is_centred and self.fourth * n > _PEAKED * self.square**2
        return is_peaked or alike > max(_CORRELATED, _ERRORS / math.sqrt(n))

    @property
    def is_draw(self) -> bool:
        """Whether the elements may all be drawn from one uniform, normal or truncated distribution.

        Mean and correlation of neighbours are 0, the fourth moment is between those of a uniform
        and of a normal draw (9/5 and 3 times the variance's square), within 5 standard errors.
        Fewer than 256 elements do not tell.
        """
        n = self.sampled
        if n < _MANY or not self.square or self.is_structured:
            return False
        variance, errors = self.square / n, _ERRORS / math.sqrt(n)
        slack = errors * math.sqrt(24)  # That of a normal draw's.
        is_white = abs(self.mean) <= errors * math.sqrt(variance)
        is_white &= abs(self.neighbours / n) <= errors * variance
        return is_white and 9 / 5 - slack <= self.fourth / n / variance**2 <= 3 + slack

    @property
    def _is_ordered(self) -> bool:
        return self.sampled >= _ORDERED and (self.rising or self.falling)

    def is_uniform(self, bound: float) -> bool:
        """Whether the elements are a draw from the uniform distribution on ±`bound`.

        All of them lie within, and the largest reaches as close to the bound as chance has it
        (for n elements, P(max < b(1 - t)) = (1 - t)^n), on either side half as close. Mean,
        variance (b²/3), fourth moment (b⁴/5) and the correlation of neighbours (0) are within 5
        standard errors; hardly any size is there twice; few elements also lie on the grid of
        torch's generator. One element alone may be any number but one that somebody wrote.
        """
        n, slack = self.count, 1e-6 + 2 * self.resolution
        if not n or self.broken or self.largest > bound * (1 + slack) or self.off:
            return False
        if self._is_ordered or (self.written and (n > 1 or not self.resolution)):
            return False
        reach = 1 - math.exp(math.log(_CHANCE) / n)
        if min(-self.low, self.high) < bound * (1 - 2 * (reach + slack)):
            return False
        return self.largest >= bound * (1 - reach - slack) and self._has_moments(bound, slack)

    def _has_moments(self, bound: float, slack: float) -> bool:
        n = self.sampled
        if n < 2:
            return True
        errors = _ERRORS / math.sqrt(n)
        # In units of the bound: expected value and standard deviation of one element's power.
        expected = (
            (self.total, 1, 0.0, math.sqrt(1 / 3)),
            (self.square, 2, 1 / 3, math.sqrt(4 / 45)),
            (self.fourth, 4, 1 / 5, math.sqrt(16 / 225)),
            (self.neighbours, 2, 0.0, 1 / 3),
        )
        fits = all(
            abs(found / n / bound**power - mean) <= errors * std + 4 * slack
            for found, power, mean, std in expected
        )
        return fits and self.repeats < (0.25 if self.resolution else 0.05)


def facts_of(
    local: torch.Tensor,
    bound: float | None = None,
    first: int = 0,
    shape: tuple[int, ...] | None = None,
) -> Facts:
    """The facts of a tensor's elements, or of one shard's.

    `first` is the index of its first element in the whole tensor, which has that `shape`; `bound`
    is that of PyTorch's default for the parameter. Extremes are over all elements, sums over every
    k-th one of the whole, so that sharding makes no difference.
    """
    if not local.numel():
        return Facts()
    if local.dtype.is_floating_point and local.element_size() == 1:
        # Torch compares no numbers of eight bits.
        local = local.detach().float()
    low, high = (float(v) for v in torch.aminmax(local.detach()))
    if math.isnan(low) or math.isnan(high):
        return Facts(local.numel(), -math.inf, math.inf, broken=1)
    if max(abs(low), abs(high)) > _MOST:
        return Facts(local.numel(), low, high)
    shape = tuple(local.shape) if shape is None else shape
    sample = _sample(local.detach(), first, math.prod(shape))
    resolution = _resolution(sample)
    # Numpy is several times faster on small arrays, of which models have thousands.
    values = sample.cpu().double().numpy()
    squares = values * values
    return Facts(
        local.numel(),
        low,
        high,
        0,
        len(values),
        float(values.sum()),
        float(squares.sum()),
        float(squares @ squares),
        float(values[1:] @ values[:-1]),
        _repeated(values[:_FEW], resolution),
        _off_grid(local, values, bound) if bound and not resolution else 0,
        resolution,
        _is_written(values[:_LOOKED_UP]),
        bool((values[1:] >= values[:-1]).all()),
        bool((values[1:] <= values[:-1]).all()),
        (float(values[0]), float(values[-1])) if len(values) else None,
        *_waves(local.detach(), first, shape),
    )


def _waves(local: torch.Tensor, first: int, shape: tuple[int, ...]) -> tuple[float, int]:
    """The first rows' `waves`, and the number of elements in them."""
    columns = shape[-1] if len(shape) > 1 else 0
    if columns < _COLUMNS or not local.is_contiguous():
        return 0.0, 0
    rows = local.view(-1)[-first % columns :][: max(columns, _SAMPLE)]
    rows = rows[: len(rows) // columns * columns].view(-1, columns)
    values = rows.cpu().float().numpy()
    values = values - values.mean(1, keepdims=True)
    spread = (values * values).sum(1)
    alike = abs((values[:, 1:] * values[:, :-1]).sum(1))
    # In a row of equal numbers, all are alike.
    alike[spread > 0] /= spread[spread > 0]
    alike[spread == 0] = 1.0
    return float(alike.sum()) * columns, rows.numel()


def _sample(local: torch.Tensor, first: int, total: int) -> torch.Tensor:
    """Every k-th element of the whole tensor; of one that is not contiguous, of its first rows.

    An odd step meets every column of a matrix.
    """
    if not local.is_contiguous():
        rows = max(1, _SAMPLE * len(local) // local.numel()) if local.dim() else 1
        return local[:rows].reshape(-1) if local.dim() else local.reshape(1)
    step = max(1, total // _SAMPLE)
    step += 1 - step % 2
    return local.view(-1)[-first % step :: step]


def _resolution(sample: torch.Tensor) -> float:
    """The resolution of numbers that are, or were, float16 or bfloat16; 0 for finer ones."""
    few = sample[:8]
    for dtype, step in _RESOLUTION.items():
        if sample.dtype == dtype:
            return step
        if all(part.to(dtype).to(part.dtype).equal(part) for part in (few, sample)):
            return step
    return 0.0


def _is_written(values: Any) -> bool:
    """Whether all numbers have few digits: of the float32 numbers, one in some thousands has."""
    return all(_short(value) == numpy.float32(value) for value in set(values.tolist()))


def _short(value: Any) -> Any:
    return numpy.float32(f"{value:.{_DIGITS}g}")


def _repeated(values: Any, resolution: float) -> float:
    """The share of elements whose size is there more than once, as in an identity or a filter.

    Of numbers of a coarse `resolution`, draws repeat some: the share of the most frequent one, or
    of the numbers that are missing among those that a draw would give (torch draws bfloat16
    from 2⁸ points).
    """
    ordered = numpy.sort(values if resolution else abs(values))
    if len(values) < 3 or (ordered[1:] != ordered[:-1]).all():
        return 0.0
    _, counts = numpy.unique(ordered, return_counts=True)
    again = counts[counts > (3 if resolution else 1)]
    if not resolution and len(values) > _PAIR and again.sum() == 2:
        # One pair is chance.
        return 0.0
    most = float(again.max() if resolution else again.sum()) if len(again) else 0.0
    share = most / len(values)
    if not resolution or len(values) < _COARSE:
        return share
    expected = (1 - math.exp(-len(values) * resolution)) / resolution
    return max(share, 1 - len(counts) / expected)


def _off_grid(local: torch.Tensor, values: Any, bound: float) -> int:
    """How many small elements are not on the 2²⁴ points of ±`bound` that torch's CPU draws from.

    Near zero, float32 is finer than that grid, so that other draws hardly ever meet it.
    """
    if local.dtype != torch.float32 or local.numel() >= _SMALL:
        return 0
    edge = float(numpy.float32(bound))
    small = values[abs(values) < edge / 8]
    # A GPU draws from twice as many points.
    finer = 2 if local.is_cuda else 1
    places = (small + edge) / edge * (_GRID / 2 * finer)
    return int((abs(places - places.round()) > _NEAR * finer).sum())
