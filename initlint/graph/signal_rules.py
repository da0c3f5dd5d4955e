"""The predicted signal through operations without weights: activations, sums, pooling, norms, …

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import add, mul
from typing import Any, NamedTuple

from initlint.graph.quadrature import gaussian_moments
from initlint.graph.samples import (
    SIZE,
    Triple,
    Value,
    combined,
    mapped,
    moments,
    moved,
    permutation,
    shuffled,
    windows_of,
)
from initlint.graph.signal_weighted import Moments, Sent, each
from initlint.torchlib import catalog

_Moments = tuple[float, float, float, float]
_STEP = 1e-4
# Beyond so many positions, a mean over them is taken for Gaussian.
_MANY = 16
# How many positions are averaged over where that is not known.
_TYPICAL = 49
# Added to a variance by torch's norms, if nothing else is said.
EPSILON = 1e-5


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
    result.slopes = [factor * part for part in result.slopes or ()]
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
    """A function of a value: the samples before and behind it, and what follows from them.

    `slopes` are the squared derivatives, `found` the moments of the result, `elasticity` is
    d log E[f²] / d log E[x²], of which a bounded function has little, `fourth` E[f⁴] / E[f²]².
    """

    before: Triple
    samples: Triple
    slopes: list[float]
    found: _Moments
    elasticity: float
    fourth: float


def _response(
    function: Callable[[float], float], before: Triple, moments_of: Callable[[Triple], _Moments]
) -> _Response:
    samples = mapped(function, before)
    ahead = [function(x + _STEP) for x in before[0]]
    rises = [(y - x) / _STEP for x, y in zip(samples[0], ahead, strict=True)]
    found = moments_of(samples)
    q = found[0]
    parts = zip(before[0], samples[0], rises, strict=True)
    elasticity = sum(x * y * rise for x, y, rise in parts) / SIZE / q if q > 0 else 1.0
    fourth = sum((x * x / q) ** 2 for x in samples[0]) / SIZE if q > 0 else 1.0
    return _Response(before, samples, [rise * rise for rise in rises], found, elasticity, fourth)


@lru_cache(maxsize=64)
def _of_gaussian(
    function: Callable[[float], float],
    turn: int,
    q: float,
    mean: float,
    places: float,
    examples: float,
) -> _Response:
    """The response of a Gaussian value, which many layers and both predictions have alike.

    `turn` is the bit length of its sources, which decides the order of its samples.
    """
    value = Value(q, mean, places, examples, sources=1 << turn >> 1)
    return _response(function, value.triple(), lambda samples: gaussian_moments(function, value))


def _elementwise(value: Value, function: Callable[[float], float]) -> Sent:
    is_gaussian = value.samples is None or value.is_gaussian
    if value.samples is None:
        turn = value.sources.bit_length()
        of = _of_gaussian(function, turn, value.q, value.mean, value.places, value.examples)
        value.samples, value.is_gaussian = of.before, True
    elif is_gaussian:
        of = _response(function, value.samples, lambda samples: gaussian_moments(function, value))
    else:
        of = _response(function, value.samples, moments)
    q, mean, places, examples = of.found
    # What two units have in common goes through f in proportion.
    part = (value.units - value.mean**2) / value.variance if value.variance > 0 else 0.0
    units = mean**2 + min(1.0, max(0.0, part)) * max(0.0, q - mean**2)
    result = replace(value, q=q, mean=mean, places=places, examples=examples, units=units)
    result = replace(
        result, samples=of.samples, slopes=of.slopes, parts=(), scores=None, shares=None
    )
    result.latent = (value, function) if is_gaussian else None
    share = min(1.0, value.examples / value.q) if value.q > 0 else 0.0
    result.noise = value.noise * min(1.0, of.elasticity**2)
    # What f adds to the relative variance of a unit's y²: 3 for ReLU, whose units are off or on.
    steep = of.fourth - 1 - 2 * of.elasticity**2
    result.noise += max(0.0, steep) * share**2 / (value.width or 64)
    return Sent(result, (sum(of.slopes) / SIZE,))


def gated_half(value: Value, bit: int) -> Sent:
    """GLU: one half of the units times the sigmoid of the other, which is another draw."""
    row = catalog.activations()["sigmoid"].function()
    other = replace(
        value, samples=mapped(row, shuffled(value.triple(), bit.bit_length())), sources=bit
    )
    q, mean, places, examples = moments(other.samples or value.triple())
    other = replace(other, q=q, mean=mean, places=places, examples=examples, units=mean**2)
    result = multiplied([value, other]).value
    return Sent(replace(result, width=value.width and value.width / 2), (q,))


def multiplied_by(value: Value, factor: float | Moments) -> Sent:
    """A product with a number, or with a parameter of known mean and std, one for each unit."""
    mean, spread = factor if isinstance(factor, tuple) else (factor, 0.0)
    square = mean**2 + spread**2
    same = mapped(lambda x: x * mean, value.triple()) if not spread and value.samples else None
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
    return Sent(total, (1.0,) * len(values))


def _sum(one: Value, two: Value) -> Value:
    scores = one.scores or two.scores
    width = one.width if two.width in (None, 1) else two.width
    size = one.size if one.size else two.size
    samples = combined(add, one.triple(), two.triple())
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

    A gate is one of them. Back, each factor gets the gradient times the other one.
    """
    total, backs = values[0], [1.0] * len(values)
    for place, value in enumerate(values[1:], 1):
        backs = [back * value.q for back in backs]
        backs[place] = total.q
        samples = combined(mul, total.triple(), value.triple())
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
    return Sent(total, tuple(backs))


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


def _mixed(pairs: Sequence[tuple[float, Value]]) -> Triple:
    """Samples of each part in turn, as often as its share says."""
    golden = (math.sqrt(5) - 1) / 2
    chosen: list[Triple] = []
    for place in range(SIZE):
        turn, index = golden * place % 1, 0
        while index < len(pairs) - 1 and turn >= pairs[index][0]:
            turn -= pairs[index][0]
            index += 1
        chosen.append(pairs[index][1].triple())
    one, two, other = ([c[k][i] for i, c in enumerate(chosen)] for k in range(3))
    return one, two, other


def averaged(value: Value, count: float | None, size: tuple[int, ...] | None, bit: int) -> Sent:
    """A mean over `count` positions: E[y²] = E[x x'] + (E[x²] - E[x x']) / count.

    Each position of the input is in count · (results / positions) means, so its gradient is that of
    the results times (results / positions) / count.
    """
    number = count or _TYPICAL
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


def normalised(
    value: Value,
    kind: str,
    affine: tuple[Moments, Moments],
    bit: int,
    least: float = EPSILON,
    chance: float = 0.0,
) -> Sent:
    """A normalisation in training: what it subtracts is what its elements have in common.

    Batch norm subtracts a unit's mean over examples and positions, instance norm that over
    positions, layer and group norm that over units; RMS norm subtracts nothing. All divide by the
    root of what is left. Back, E[g_x²] = E[g_y²] γ² / variance, but for the part of the gradient
    along 1 and x, which is one in as many as are normalised. Of few examples, the mean's square is
    larger by `chance`; the gradient, of which as much is subtracted, does not see that.
    """
    if kind == "none":
        return Sent(value, (1.0,))
    if kind == "batch" and value.parts:
        plain = ((1.0, 0.0), (0.0, 0.0))
        share = chance / value.q if value.q else 0.0
        inner = [(w, normalised(v, kind, plain, bit, least, share * v.q)) for w, v in value.parts]
        result = side_by_side([sent.value for _, sent in inner], False).value
        result = replace(result, mean=0.0, examples=0.0, units=0.0, width=value.width)
        back = sum(w * sent.backs[0] for w, sent in inner)
        return _with_gain(result, affine, back)
    common = {"batch": value.examples, "instance": value.places, "layer": value.units}.get(kind, 0)
    whole = max(0.0, value.q - common) + least
    common += min(chance, 0.9 * whole)
    left = max(0.0, value.q - common) + least
    scale = 1 / math.sqrt(left)
    square = 0.0 if kind == "rms" else value.mean**2
    is_close = value.samples is not None and abs(common - square) < 0.1 * left
    result = replace(
        value,
        q=max(0.0, value.q - common) / left,
        mean=value.mean * scale if kind == "rms" else 0.0,
        places=max(0.0, value.places - common) / left,
        examples=max(0.0, value.examples - common) / left,
        units=value.units / left if kind == "rms" else 0.0,
        samples=None,
        slopes=None,
        parts=(),
    )
    if is_close and value.samples is not None:
        result.samples = moved(value.samples, result.mean, result.variance)
    elif common > square:
        result.sources = bit
    if kind != "batch":
        result.profile = None
    result.noise = 0.0
    return _with_gain(result, affine, 1 / whole)


def _with_gain(value: Value, affine: tuple[Moments, Moments], back: float) -> Sent:
    (gain, shift), result = affine, value
    if gain != (1.0, 0.0):
        sent = multiplied_by(result, gain)
        result, back = sent.value, back * sent.backs[0]
    if shift != (0.0, 0.0):
        result = shifted_by(result, shift, 1).value
    return Sent(result, (back,))


def dropped(value: Value, p: float) -> Sent:
    """Dropout in training: E[y²] = E[x²] / (1 - p); two positions are dropped independently."""
    if not 0 < p < 1:
        return Sent(value, (1.0,))
    result = replace(value, q=value.q / (1 - p), parts=())
    if value.samples is not None:
        result.samples = moved(value.samples, result.mean, result.variance)
    return Sent(result, (1 / (1 - p),))


def scored(query: Value, key: Value, width: float | None) -> Sent:
    """The product of queries and keys: a variance over the keys, and what two queries share.

    score_ij = sum_d q_id k_jd; what the keys have in common moves all scores of a query alike, and
    softmax ignores it. So Var_j = width E[q²] (E[k²] - E[k k']). If the width of a head is not
    known, scores are taken to be divided by its root.
    """
    apart = max(0.0, key.q - key.places)
    number = width or 1.0
    scores = (number * query.q * apart, number * query.places * apart)
    value = Value(number * query.q * key.q, sources=query.sources | key.sources, scores=scores)
    value.scaled, value.size, value.width = width is None, query.size, key.width
    value.noise = query.noise + key.noise
    return Sent(value, (number * key.q, number * query.q))


def softened(value: Value, width: float | None) -> Sent | None:
    """Softmax over T keys with Gaussian scores of variance v: T E[a²] = e^v, so long as v is small.

    E[e^2s] / E[e^s]² = e^v; of two queries with covariance c it is e^c.
    """
    own, shared = value.scores or (value.variance, 0.0)
    result = replace(value, scores=None, parts=(), slopes=None)
    result.shares = (math.exp(min(own, 30.0)), math.exp(min(shared, 30.0)))
    number = (width or 0.0) or (value.width or 0.0) or _TYPICAL
    result.q, result.mean = min(1.0, result.shares[0] / number**2), 1 / number
    result.places = result.examples = result.units = 1 / number**2
    result.samples = None
    return Sent(result, (result.q,))


def attended(shares: tuple[float, float], value: Value, count: float | None, bit: int) -> Sent:
    """A mean of values over T keys with attention's weights.

    E[y²] = E[v v'] + (E[v²] - E[v v']) sum_j E[a_j²]; of two queries with sum_j E[a_j a'_j].
    """
    number = count or (math.prod(value.size) if value.size else _TYPICAL)
    own, shared = (min(1.0, share / number) for share in shares)
    apart = max(0.0, value.q - value.places)
    result = replace(value, q=value.places + apart * own, samples=None, slopes=None, parts=())
    result.places, result.sources = value.places + apart * min(own, shared), bit
    return Sent(result, (own,))


def scoring_backs(
    query: Value, key: Value, value: Value, keys: float | None, is_causal: bool
) -> tuple[float, float]:
    """What attention sends back to queries and keys, with scores divided by the root of the width.

    With a_ij close to 1/T, softmax sends back (g_i v_j - mean over j) / T: of the values only what
    differs between the keys counts, of the width D sum D terms, which the scores' 1/D cancels.

        E[g_q²] = E[g²] (E[v²] - E[v v']) (E[k²] - E[k k']) (1 - 1/T) / T
        E[g_k²] = E[g²] (E[v²] - E[v v']) E[q²] (1 - 1/T) / T

    with T queries; with others, their number over T times as much.
    A causal query at place t has t in place of T, so that the mean over t counts.
    """
    count = keys or (math.prod(value.size) if value.size else _TYPICAL)
    share = (1 - 1 / count) / count
    if is_causal:
        share = max(0.0, math.log(count) + 0.58 - math.pi**2 / 6) / count
    common = share * max(0.0, value.q - value.places)
    return common * max(0.0, key.q - key.places), common * query.q


def spread_out(value: Value, scale: float | None, is_linear: bool) -> Sent:
    """An interpolation: nearest neighbours are copies; linear ones average, in each dimension."""
    size = None
    if value.size is not None and scale:
        size = tuple(max(1, int(length * scale)) for length in value.size)
    rank = len(value.size) if value.size else 2
    # With weights (t, 1 - t), t uniform: E[t² + (1 - t)²] = 2/3; at scale 2 they are 1/4 and 3/4.
    share = ((0.625 if scale == 2 else 2 / 3) ** rank) if is_linear else 1.0
    result = replace(value, q=value.places + (value.q - value.places) * share, size=size)
    if is_linear:
        result = replace(result, samples=None, parts=())
    return Sent(result, (float(scale or 1) ** rank * share,))


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
