"""What two positions of a gradient have in common: pixels or tokens of one example.

Behind a mean over positions every position gets the same gradient. A sum over positions then adds
it up as it is, so that E[g²] grows with the square of their number: in the gate of a
squeeze-and-excitation, in keys and values of attention.

Through the layers the covariance of two gradients goes as the recursion of Schoenholz 2017 (Deep
information propagation, eq. 9) and Xiao 2018 (Dynamical isometry of CNNs, section 2.2) has it, with
weights on the way back independent of those ahead: E[g_x g_x'] = n s² E[g_y g_y'] E[f'(x) f'(x')].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Size = tuple[int, ...] | None
# An instance norm leaves at least so much of a gradient.
_LEFT = 0.1


class Shared(NamedTuple):
    """How an operation changes what two positions share, relative to its factor for E[g²].

    With G = E[g²] and C = E[g g'] of the gradient behind it, and the factor `back`, before it

        E[g²] = back (G + summed C)    E[g g'] = back (made G + kept C)
    """

    kept: float = 1.0
    summed: float = 0.0
    made: float = 0.0


ALL = Shared()


def of_windows(results: float, joint: float) -> Shared:
    """A convolution whose windows start at every so many positions: `results` for each.

    g(p) is a sum of w_k g_y(q) over the taps k that lead from p to a result q. Two positions have
    the same weights, so E[g g'] has the taps that both use. Behind a stride of 2 × 2, these are
    the pairs of the same phase, one in four. `joint` of them do not lead into the padding.
    """
    return Shared(kept=results * joint)


def of_mean(count: float, results: float, size: Size) -> Shared:
    """A mean over `count` positions: each position is in m = count · results means.

        E[g²] = m (G + (m - 1) C) / count²    E[g g'] = m² (C + (G - C) / W) / count²

    with W = the number of results: one pair in W is in the same mean.
    """
    m = count * results
    same = 0.0 if size is None else 1 / math.prod(size)
    return Shared(m * (1 - same), m - 1, m * same)


def of_largest(results: float, size: Size) -> Shared:
    """A maximum: two positions are the largest of their windows, never of the same one."""
    return Shared(kept=results * (1.0 if size is None else 1 - 1 / math.prod(size)))


def of_copies(count: float, weights: float = 1.0) -> Shared:
    """A value that `count` positions get: its gradient is the sum of theirs.

        E[g²] = count (G + (count - 1) C)

    Where each gets it times a factor, `weights` is E[a a'] / E[a²] of the factors of two.
    """
    return Shared(kept=count * weights, summed=(count - 1) * weights)


def of_interpolation(copies: float, share: float) -> Shared:
    """A weighted sum of `copies` results with weights of sum `copies`, of squares share·copies."""
    return Shared(kept=copies / share, summed=copies / share - 1)


def of_statistics(kind: str) -> Shared:
    """An instance norm takes from a gradient all that the positions of an example have in common.

    A batch norm takes the mean over the examples, too; of few examples C / N. But it divides by
    their variance v, and E[1/v] is as much more than 1 / E[v]: measured, E[g²] is as of many.
    """
    return Shared(kept=0.0, summed=_LEFT - 1) if kind == "instance" else ALL


def of_reshaping(before: Size, after: Size, elements: float) -> Shared:
    """Positions selected, repeated, or exchanged with units; `elements` is the ratio of elements.

    Of pairs of positions before, those count that end as the same unit at two positions.
    """
    if before is None or after is None:
        return ALL
    many, left = math.prod(before), math.prod(after)
    if left < many:
        return Shared(kept=(left - 1) / (many - 1))
    return of_copies(max(1.0, elements)) if left > many else ALL


def of_values(own: float, both: float, queries: float, keys: float) -> Shared:
    """Values that attention averages: g_j = sum_i a_ij g_i over the queries i.

    `own` is sum_j E[a_ij²] over the keys, `both` is sum_j E[a_ij a_i'j] of two queries.

        E[g_j²] = queries / keys (own G + (queries - 1) both C)
        E[g_j g_j'] = queries / keys² (G + (queries - 1) C)
    """
    made = 1 / (keys * own)
    return Shared((queries - 1) * made, (queries - 1) * both / own, made)


def of_keys(common: float, queries: float) -> Shared:
    """Keys: g_j = sum_i s_ij q_i, and two keys have independent values; `common`: E[q q'] / E[q²].

    Queries keep what they have in common, because they have the same keys and values.
    """
    return Shared(kept=0.0, summed=(queries - 1) * common)


def copies(sizes: Sequence[Size]) -> list[float]:
    """How many positions of a result get each of its operands; 1 if sizes are not known."""
    counts = [0 if size is None else math.prod(size) for size in sizes]
    most = max(counts, default=0)
    return [most / count if count else 1.0 for count in counts]
