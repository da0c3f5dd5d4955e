"""The predicted signal through normalisation, dropout and attention.

Each rule gives the value behind an operation, and the factor by which it multiplies the second
moment of the gradient on the way back.
"""

from __future__ import annotations

import math
from dataclasses import replace

from initlint.graph.samples import (
    Value,
    moved,
)
from initlint.graph.signal_joins import multiplied_by, shifted_by, side_by_side
from initlint.graph.signal_pools import TYPICAL
from initlint.graph.signal_shared import (
    Shared,
    of_interpolation,
    of_statistics,
    of_values,
)
from initlint.graph.signal_weighted import Moments, Sent

# Added to a variance by torch's norms, if nothing else is said.
EPSILON = 1e-5


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
        return _with_gain(result, affine, back, (of_statistics(kind),))
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
    return _with_gain(result, affine, 1 / whole, (of_statistics(kind),))


def _with_gain(
    value: Value, affine: tuple[Moments, Moments], back: float, shared: tuple[Shared, ...]
) -> Sent:
    (gain, shift), result = affine, value
    if gain != (1.0, 0.0):
        sent = multiplied_by(result, gain)
        result, back = sent.value, back * sent.backs[0]
    if shift != (0.0, 0.0):
        result = shifted_by(result, shift, 1).value
    return Sent(result, (back,), shared)


def dropped(value: Value, p: float, is_whole: bool) -> Sent:
    """Dropout in training: E[y²] = E[x²] / (1 - p).

    Two positions are dropped independently; or both, with a whole channel or a whole branch.
    """
    if not 0 < p < 1:
        return Sent(value, (1.0,))
    kept = 1.0 if is_whole else 1 - p
    places = value.places * kept / (1 - p)
    result = replace(value, q=value.q / (1 - p), places=places, parts=())
    if value.samples is not None:
        result.samples = moved(value.samples, result.mean, result.variance)
    return Sent(result, (1 / (1 - p),), (Shared(kept),))


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
    number = (width or 0.0) or (value.width or 0.0) or TYPICAL
    result.q, result.mean = min(1.0, result.shares[0] / number**2), 1 / number
    result.places = result.examples = result.units = 1 / number**2
    result.samples = None
    return Sent(result, (result.q,), (Shared(kept=result.shares[1] / result.shares[0]),))


def attended(
    shares: tuple[float, float],
    value: Value,
    count: float | None,
    bit: int,
    lengths: tuple[float, float] | None = None,
) -> Sent:
    """A mean of values over T keys with attention's weights.

    `count` is T, or of causal attention the T that 1/T has in the mean over the queries; `lengths`
    are the numbers of queries and keys.

    E[y²] = E[v v'] + (E[v²] - E[v v']) sum_j E[a_j²]; of two queries with sum_j E[a_j a'_j].
    """
    number = count or (math.prod(value.size) if value.size else TYPICAL)
    own, shared = (min(1.0, share / number) for share in shares)
    apart = max(0.0, value.q - value.places)
    result = replace(value, q=value.places + apart * own, samples=None, slopes=None, parts=())
    result.places, result.sources = value.places + apart * min(own, shared), bit
    return Sent(result, (own,), (of_values(own, min(own, shared), *(lengths or (number, number))),))


def scoring_backs(
    query: Value, key: Value, value: Value, keys: float | None, source: float, is_causal: bool
) -> tuple[float, float]:
    """What attention sends back to queries and keys, with scores divided by the root of the width.

    With a_ij close to 1/T, softmax sends back (g_i v_j - mean over j) / T: of the values only what
    differs between the keys counts, of the width D sum D terms, which the scores' 1/D cancels.

        E[g_q²] = E[g²] (E[v²] - E[v v']) (E[k²] - E[k k']) ((1 - 1/T) / T + (1 - 1/T)² / n)
        E[g_k²] = E[g²] (E[v²] - E[v v']) E[q²] (1 - 1/T) / T

    with T queries; with others, their number over T times as much. The term with n, the width of
    the tokens x that keys and values are made of (`source`): sum_j (g v_j) k_j / T is
    K (sum_j x_j x_j' / T) V' g, of which the mean K V' g is the same however many keys there are.
    A causal query at place t has t in place of T, so that the mean over t counts.
    """
    count = keys or (math.prod(value.size) if value.size else TYPICAL)
    # E[1/t] and E[1/t²].
    once, twice = 1 / count, 1 / count**2
    if is_causal:
        once, twice = (math.log(count) + 0.58) / count, math.pi**2 / 6 / count
    alone, together = max(0.0, once - twice), max(0.0, 1 - 2 * once + twice)
    apart = max(0.0, value.q - value.places)
    ahead = apart * max(0.0, key.q - key.places) * (alone + together / source)
    return ahead, apart * query.q * alone


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
    copies = float(scale or 1) ** rank
    return Sent(result, (copies * share,), (of_interpolation(copies, share),))
