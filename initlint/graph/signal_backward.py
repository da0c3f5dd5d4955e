"""The predicted gradient: E[g²] of every value of a graph, from the model's result back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add, mul

from initlint.graph.ops import Op
from initlint.graph.samples import SIZE, Samples, Slopes, average
from initlint.graph.signal_shared import Shared
from initlint.graph.signal_terms import LARGEST, Given, Prediction, kind_of_norm

# What E[g²] is multiplied with on the way from an operation to each of its inputs.
Backs = Mapping[Op, tuple[float, ...]]
# The same for operations that send it past their inputs.
Past = Mapping[Op, tuple[tuple[Op, float], ...]]


def add_gradients(
    ops: Sequence[Op],
    found: Prediction,
    given: Given,
    backs: Backs,
    past: Past,
    shared: Mapping[Op, tuple[Shared, ...]],
) -> None:
    """Add the gradients: E[g²] of a value is the sum of what its consumers send back.

    So is what two positions have in common. A value of one position has it all in common.

    Through activations and sums it goes sample by sample: in a rectified stream with branches, a
    unit that one ReLU lets through is let through by the next one more often than another, so that
    E[f'(x)² g²] is more than E[f'(x)²] E[g²].
    """
    gradients = {op: _Gradient() for op in ops}
    for op in reversed(ops):
        own = gradients[op]
        if op.final:
            own.add(1.0)
        is_unknown = op in found.starts and op.role != "input"
        if found.values[op].is_one_position:
            own.common = own.mean
        share = own.common / own.mean if own.mean else 0.0
        sending = past.get(op) or zip(op.inputs, backs[op], strict=True)
        slopes = found.values[op].slopes if op.role == "activation" else None
        for (value, back), rule in zip(sending, shared[op], strict=False):
            before, factor = gradients[value], back * (1 + rule.summed * share)
            if is_unknown and not op.final:
                before.add(1.0)
            elif slopes is not None:
                before.add_through(slopes, own)
            elif _goes_on(op, value, found):
                before.add_all(own, factor)
            else:
                before.add(own.mean * factor)
            if slopes is None:
                before.common += back * (rule.made * own.mean + rule.kept * own.common)
            if op in found.loose or (is_unknown and not op.final):
                found.loose.add(value)
    found.gradients = {op: gradient.mean for op, gradient in gradients.items()}
    for op in ops:
        if op.role == "norm" and op.inputs[0].weights and kind_of_norm(op) in ("batch", "instance"):
            found.gradients[op.inputs[0]] *= _unevenness(op.inputs[0], given)


def _unevenness(op: Op, given: Given) -> float:
    """E[1/v] E[v] of the variances v of an operation's units, each of which a norm divides by.

    The variance of a unit with n independent inputs is v = s² |w|² with Gaussian w, so that v / s²
    is distributed as χ² with n degrees of freedom, and E[1/v] = 1 / (s² (n - 2)). Of a depthwise
    convolution of 3×3 it is 9/7. Before the operation nothing is left of it: w²/v does not depend
    on |w|.
    """
    known = list(given.weights(op))
    n = known[0].fan_in if known else None
    return n / (n - 2) if n and n > 4 else 1.0


# Operations that leave every unit where it was.
_UNIT_BY_UNIT = ("norm", "scale", "dropout", "shape")


def _goes_on(op: Op, value: Op, found: Prediction) -> bool:
    """Whether each sample of a result comes from the same sample of the value before."""
    if op.role == "merge_add":
        return len(op.inputs) > 1
    result, before = found.values[op].samples, found.values[value].samples
    if op.role not in _UNIT_BY_UNIT or result is None or before is None:
        return False
    return result is before or not found.values[op].is_gaussian


class _Gradient:
    """E[g²] of one value: the same for all of its samples, and more for some of them.

    Of what came through an activation with the same gradient for all samples, the mean is known
    without them: `_through` has these gradients and slopes, until the samples are asked for.
    `common` is E[g g'] of two positions.
    """

    def __init__(self) -> None:
        self.common = 0.0
        self._even = 0.0
        self._each: Samples | None = None
        self._through: list[tuple[float, Slopes]] = []

    def add(self, even: float) -> None:
        """Add as much for every sample."""
        self._even = min(self._even + even, LARGEST)

    def add_each(self, each: Samples) -> None:
        """Add to every sample its own."""
        each = [min(part, LARGEST) for part in each]
        self._each = each if self._each is None else list(map(add, self._each, each))

    def add_through(self, slopes: Slopes, behind: _Gradient) -> None:
        """Add the gradient behind an activation, times its slope at every sample."""
        if behind._is_even:
            self._through.append((behind._even, slopes))
            passed = slopes.mean
        else:
            each = list(map(mul, slopes.each(), behind.samples()))
            self.add_each(each)
            passed = average(each) / behind.mean if behind.mean else 0.0
        if behind.common and slopes.mean:
            self.common += behind.common * passed * slopes.shared() / slopes.mean

    def add_all(self, other: _Gradient, factor: float) -> None:
        """Add another one, times a factor."""
        if other._is_even:
            self.add(other._even * factor)
        else:
            self.add_each([factor * part for part in other.samples()])

    def samples(self) -> Samples:
        """E[g²] for every sample."""
        through, self._through = self._through, []
        for even, slopes in through:
            self.add_each([even * slope for slope in slopes.each()])
        each = self._each or [0.0] * SIZE
        return [self._even + part for part in each]

    @property
    def _is_even(self) -> bool:
        return self._each is None and not self._through

    @property
    def mean(self) -> float:
        """E[g²]."""
        uneven = average(self._each) if self._each else 0.0
        uneven += sum(even * slopes.mean for even, slopes in self._through)
        return min(self._even + uneven, LARGEST)
