"""The last layers of a model whose results may be loud: far larger than their input."""

from __future__ import annotations

import math
from collections.abc import Sequence

from initlint.graph.ops import Op
from initlint.graph.signal_terms import Given

# As logits of this rms, the first cross entropy of 1,000 classes is 7 above ln(1000).
LOUD = 4.0
# Looked through on the way from a layer to the model's result.
_PASSED = ("output", "shape", "dropout", "choice")
_BOUNDED = ("softmax", "log_softmax", "sigmoid", "logsigmoid", "tanh")
# A layer that makes its result no larger than this times its input gives no loud results.
_LOUDER = 2.5


def last_layers(ops: Sequence[Op]) -> list[Op]:
    """The weighted operations whose results are the model's results, or what these are made of by a
    softmax, a sigmoid or a tanh."""
    found: dict[Op, None] = {}
    waiting = [op for op in ops if op.final]
    seen = set(waiting)
    while waiting:
        op = waiting.pop()
        if op.role == "weighted":
            found[op] = None
        elif op.role in _PASSED or op.activation in _BOUNDED:
            waiting += [value for value in op.inputs if value not in seen]
            seen.update(op.inputs)
    return [op for op in found if op.inputs]


def may_be_loud(op: Op, given: Given) -> bool:
    """Whether a layer's scale alone allows loud results."""
    return any(
        weight.std is not None
        and math.hypot(weight.std, weight.mean) * math.sqrt(weight.fan_in or 1) > _LOUDER
        for weight in given.weights(op)
    )


def first_loss(rms: float, classes: int) -> float:
    """The expected cross entropy of independent normal logits: E[log(Σ exp(rms z))].

    log S is the integral of exp(-exp(-u)) - exp(-S exp(-u)) over all u, and the mean of the second
    term is a power, since the logits are independent.
    """
    width = 8 * rms + 40
    points = [width * (2 * k / _POINTS - 1) for k in range(_POINTS + 1)]
    draws = [(k / 5, math.exp(-k * k / 50)) for k in range(-30, 31)]
    whole = sum(density for _, density in draws)

    def survives(u: float) -> float:
        return sum(density * _gumbel(u - rms * z) for z, density in draws) / whole

    terms = [_gumbel(u) - survives(u) ** classes for u in points]
    return sum(terms) * 2 * width / _POINTS


_POINTS = 200


def _gumbel(u: float) -> float:
    return math.exp(-math.exp(-u)) if u > -7 else 0.0
