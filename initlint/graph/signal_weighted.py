"""The predicted signal through weights: linear layers, convolutions, embeddings, recurrences.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back. All weights of a layer are independent draws with the same
mean and variance, independent of the data; so its result is close to Gaussian (Poole 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from initlint.graph.samples import Profile, Value, average, first_samples, moment
from initlint.graph.signal_shared import Shared, of_windows
from initlint.torchlib import catalog

Moments = tuple[float, float]
_IDENTITIES = ("eye_", "dirac_")
# How many steps a recurrence is followed: it is settled by then.
_STEPS = 24


class Known(NamedTuple):
    """What is known of one weight: fans as in `steps.Weight`, mean and std, bias if there is one.

    `std` is None if it is not known. `bias` has mean and std, (0, 0) without one.
    """

    name: str
    shape: tuple[int, ...]
    fan_in: float | None
    fan_out: float | None
    mean: float
    std: float | None
    bias: Moments = (0.0, 0.0)
    initializer: str = ""
    spread: float = 1

    def scaled(self, factor: float) -> Known:
        """The same weight with mean 0 and `factor` times the root of E[w²]."""
        return self._replace(mean=0.0, std=factor * math.hypot(self.mean, self.std or 0.0))


class Sent(NamedTuple):
    """The result of a rule: the value, and for each input the factor of its gradient's E[g²].

    `shared` says what becomes of what two positions have in common; without it, they keep it.
    """

    value: Value
    backs: tuple[float, ...]
    shared: tuple[Shared, ...] = ()


def weighted(value: Value, weight: Known, facts: Any, kind: str, bit: int) -> Sent | None:
    """Linear layer, convolution or transposed convolution; None if its std or fans are not known.

    With y = sum_j w_j x_j + b over fan_in inputs, w of mean m and variance s²:

        E[y²] = s² n E[x²] + m² (n E[x²] + sum over pairs of E[x_i x_j]) + E[b²]

    The pairs are two channels at one place, one channel at two places, or both different. Two
    places of the result have the same weights, so the same holds for E[y y'] with E[x x']. Two
    units have independent weights: only what m² and the bias' mean add is common to them. Taps in
    the padding add nothing, and two places share only taps that are inside for both (`_inside`).

    Back, every input gets the gradients of fan_out outputs: E[g_x²] = (s² + m²) fan_out E[g_y²]
    (He 2015, eq. 13), of which a stride leaves 1/stride in each dimension. A transposed convolution
    exchanges the two.
    """
    if weight.std is None or not weight.fan_in or not weight.fan_out:
        return None
    window = _window(weight, facts, kind)
    (inside, both, profile), grown = _inside(value, window), _size_after(value, window)
    taps = math.prod(window.kernel)
    n = weight.fan_in * inside
    mean, variance, (shift, spread) = weight.mean, weight.std**2, weight.bias
    if weight.initializer in _IDENTITIES:
        return Sent(_carried(value, weight, window, grown), (1.0,))
    seen = taps / weight.spread
    here = max(1.0, weight.fan_in / seen)
    square = value.mean**2
    pairs = here * (here - 1) * seen * value.units + here * seen * (seen - 1) * value.places
    pairs += here * (here - 1) * seen * (seen - 1) * square
    centre = n * mean * value.mean
    common = mean**2 * (n * value.q + (pairs if mean else 0.0))
    far = mean**2 * n * (n - 1) * square
    added = spread**2 + shift**2 + 2 * shift * centre
    result = Value(
        q=n * variance * value.q + common + added,
        mean=centre + shift,
        places=weight.fan_in * both * (variance + mean**2) * value.places + far + added,
        examples=weight.fan_in * both * (variance + mean**2) * value.examples + far + added,
        units=common + shift**2 + 2 * shift * centre,
        sources=bit,
        width=weight.fan_out / taps * window.groups,
        size=grown,
        profile=profile,
    )
    result.noise = _noise(value, result, weight)
    density = _density(value, grown, window)
    reached = inside * density
    if window.transposed and value.size and grown:
        # The share of an input's taps that do not land in the padding.
        reached *= math.prod(grown) / (math.prod(value.size) * weight.spread)
    back = (variance + mean**2) * weight.fan_out * reached
    return Sent(result, (back,), (of_windows(density, both / inside if inside else 1.0),))


def _noise(value: Value, result: Value, weight: Known) -> float:
    """The variance of log E[y²] over the draws of the weights, those of all layers so far.

    Averaged over the data, a unit's y² is w' S w with the second moments S of the input: relative
    variance 2 tr(S²) / tr(S)², of n units the n-th part. Of what all examples have in common S has
    one direction, of the rest fan_in. Of a uniform bias b, Var b² is 0.8 E[b²]².
    """
    if result.q <= 0:
        return 0.0
    share = min(1.0, result.examples / result.q)
    bias = min(1.0, (weight.bias[0] ** 2 + weight.bias[1] ** 2) / result.q)
    drawn = max(0.0, share - bias)
    own = 2 * drawn**2 + 4 * drawn * bias + 0.8 * bias**2 + 2 / (weight.fan_in or 1)
    return value.noise * (1 - bias) ** 2 + own / max(1.0, result.width or 1.0)


class Window(NamedTuple):
    """The window of a convolution; kernel () for a linear layer."""

    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[float, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    transposed: bool = False


def each(value: Any, rank: int, otherwise: float) -> tuple[Any, ...]:
    """A number for each dimension, from one number or several."""
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(v, (int, float)) for v in values):
        return (otherwise,) * rank
    values = values * rank if len(values) == 1 else values
    return values if len(values) == rank else (otherwise,) * rank


def _window(weight: Known, facts: Any, kind: str) -> Window:
    if "conv" not in kind.lower():
        return Window()
    kernel = tuple(max(1, size) for size in weight.shape[2:])
    rank = len(kernel)
    stride, dilation = (each(facts.get(n, 1), rank, 1) for n in ("stride", "dilation"))
    padding = facts.get("padding", 0)
    if padding == "same":
        padding = tuple(d * (k - 1) / 2 for d, k in zip(dilation, kernel, strict=True))
    groups = facts.get("groups", 1)
    groups = groups if isinstance(groups, int) and groups > 0 else 1
    is_transposed = "transpose" in kind.lower()
    return Window(kernel, stride, each(padding, rank, 0), dilation, groups, is_transposed)


def _size_after(value: Value, window: Window) -> tuple[int, ...] | None:
    if not window.kernel:
        return value.size
    if value.size is None or len(value.size) != len(window.kernel):
        return None
    found = []
    for size, kernel, stride, padding, dilation in zip(value.size, *window[:4], strict=True):
        reach = dilation * (kernel - 1)
        if window.transposed:
            found.append(int((size - 1) * stride - 2 * padding + reach + 1))
        else:
            found.append(int((size + 2 * padding - reach - 1) // stride + 1))
    return tuple(found) if all(size > 0 for size in found) else None


def _inside(value: Value, window: Window) -> tuple[float, float, Profile | None]:
    """What of E[x²] a convolution's taps see, against a place without padding.

    First the mean over all places, then what two places have in common, then how E[y²] goes over
    the places of the result in each dimension. 1, 1 and None if sizes are not known.
    """
    if value.size is None or len(value.size) != len(window.kernel):
        return 1.0, 1.0, None
    if window.transposed:
        return _inside_transposed(value, window)
    one = two = 1.0
    profile = []
    before = value.profile_of_size()
    for course, kernel, stride, padding, dilation in zip(before, *window[:4], strict=True):
        size = len(course)
        starts = range(0, int(size + 2 * padding - dilation * (kernel - 1)), stride)
        if not starts or len(starts) * kernel > _MOST_TAPS:
            return 1.0, 1.0, None
        taps = [int(dilation * k - padding) for k in range(kernel)]
        seen = [[course[s + t] if 0 <= s + t < size else 0.0 for s in starts] for t in taps]
        means = [sum(column) / len(starts) for column in seen]
        share = sum(means) / kernel
        one, two = one * share, two * sum(mean**2 for mean in means) / kernel
        sums = [sum(row) for row in zip(*seen, strict=True)]
        whole = sum(sums) / len(sums)
        profile.append(tuple(part / whole for part in sums) if whole else (1.0,) * len(sums))
    return one, two, tuple(profile)


_MOST_TAPS = 20_000


def _inside_transposed(value: Value, window: Window) -> tuple[float, float, Profile | None]:
    """The same for a transposed convolution: at the border fewer taps land on a place.

    Of an input of 1 × 1, one tap lands on each.
    """
    share = 1.0
    profile = []
    before = value.profile_of_size()
    for course, kernel, stride, padding, dilation in zip(before, *window[:4], strict=True):
        size = len(course)
        grown = int((size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1)
        if grown < 1 or size * kernel > _MOST_TAPS:
            return 1.0, 1.0, None
        sums = [0.0] * grown
        for place, square in enumerate(course):
            for tap in range(kernel):
                lands = int(place * stride + tap * dilation - padding)
                if 0 <= lands < grown:
                    sums[lands] += square
        mean = sum(sums) / grown
        share *= mean * min(kernel, stride // math.gcd(stride, dilation)) / kernel
        profile.append(tuple(part / mean for part in sums) if mean else (1.0,) * grown)
    return share, share, tuple(profile)


def _density(value: Value, grown: tuple[int, ...] | None, window: Window) -> float:
    """The number of windows for each position of the input."""
    if window.transposed or not window.kernel:
        return 1.0
    if grown is None or not value.size:
        return 1 / math.prod(window.stride)
    return math.prod(grown) / math.prod(value.size)


def _carried(value: Value, weight: Known, window: Window, grown: tuple[int, ...] | None) -> Value:
    """The value behind an identity: each unit is the one before, plus the bias."""
    shift, spread = weight.bias
    added = shift**2 + spread**2 + 2 * shift * value.mean
    moved = replace(value, q=value.q + added, mean=value.mean + shift, size=grown)
    return replace(moved, places=value.places + added, examples=value.examples + added)


def looked_up(
    weight: Known, size: tuple[int, ...] | None, bit: int, same: tuple[float, float]
) -> Sent | None:
    """Embedding: rows are independent draws, so positions with different entries are, too.

    `same` are the shares of pairs of positions that have the same entry, within an example and
    between two: E[x x'] = m² + share s². A table of token types of which one is used is a constant.
    """
    if weight.std is None:
        return None
    square, variance = weight.mean**2, weight.std**2
    width = weight.shape[-1] if weight.shape else None
    places, examples = (square + min(1.0, max(0.0, share)) * variance for share in same)
    value = Value(square + variance, weight.mean, places, examples, square, None, bit)
    value.width, value.size = width, size
    return Sent(value, (1.0,))


def recurrent(
    value: Value, weights: Sequence[Known], kind: str, nonlinearity: str, bit: int
) -> Sent | None:
    """torch's recurrent layers and cells, layer by layer, at the fixed point of their moments.

    Every gate sees z = W x + U h + b: E[z²] = s_w² n E[x²] + s_u² m E[h²] + E[b²]. Gates and
    candidate are independent, the candidate has the mean 0:

        RNN   h = f(z)
        GRU   h = (1 - z) n + z h
        LSTM  c = f c + i g,  h = o tanh(c)
    """
    current, back = value, 1.0
    for into, again in zip(weights[::2], weights[1::2], strict=False):
        if into.std is None or again.std is None or not into.fan_in or not again.fan_in:
            return None
        drive = (into.std**2 + into.mean**2) * into.fan_in * current.q
        offset = sum(part**2 for part in (*into.bias, *again.bias))
        hidden = again.std**2 * again.fan_in
        q = _settled(drive + offset, hidden, kind, nonlinearity)
        share = drive / (drive + offset) if drive + offset else 0.0
        rows = into.fan_out or into.fan_in
        back *= into.std**2 * rows * (0.1 if kind.startswith(("LSTM", "GRU")) else 0.7)
        current = Value(q, 0.0, q * (1 - share), q * (1 - share), 0.0, None, bit)
        current.width = again.fan_in
    current.size, current.noise = value.size, value.noise + 2 / (current.width or 1)
    return Sent(current, (back,))


@lru_cache(maxsize=64)
def _settled(drive: float, hidden: float, kind: str, nonlinearity: str) -> float:
    """E[h²] after `_STEPS` steps."""
    q = cell = 0.0
    for _ in range(_STEPS):
        z = drive + hidden * q
        if kind.startswith("LSTM"):
            gate = second_moment("sigmoid", z)
            cell = gate * (cell + second_moment("tanh", z))
            q = gate * second_moment("tanh", cell)
        elif kind.startswith("GRU"):
            gate = second_moment("sigmoid", z)
            q = gate * (second_moment("tanh", drive + hidden * q / 4) + q)
        else:
            q = second_moment(nonlinearity, z)
        q = min(q, _LARGEST)
    return q


_LARGEST = 1e30


def second_moment(activation: str, q: float) -> float:
    """E[f(x)²] of a Gaussian x with E[x²] = q."""
    row = catalog.activations().get(activation)
    if row is None or not row.formula:
        return q
    samples = list(map(row.function(), first_samples(Value(q))))
    return moment(samples, samples)


def mean_of(activation: str, q: float) -> float:
    """E[f(x)] of a Gaussian x with E[x²] = q."""
    row = catalog.activations()[activation]
    return average(list(map(row.function(), first_samples(Value(q)))))
