"""What a prediction of the signal costs, told before it is made."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.graph import signal_pools as pools
from initlint.graph.ops import Op
from initlint.graph.samples import Value

# Costs are counted in the time of a linear layer, some 0.05 ms. That of a function of Gaussian
# values, of a function of samples, and of a recurrent layer until its moments are settled:
_OF_GAUSSIAN, _OF_SAMPLES, _SETTLED = 12, 30, 150
# For each position in which the largest is sought, and for each part of a concatenation.
_OF_POSITION, _OF_PART = 10, 10
_FUNCTIONS = ("activation", "gate", "unknown")
# Behind these a Gaussian value is still Gaussian.
_KEEPING = ("norm", "shape", "scale", "dropout")


def cost(ops: Sequence[Op]) -> int:
    """The cost of one prediction of a graph."""
    return sum(map(_cost, ops))


def _cost(op: Op) -> int:
    name = op.name.lower()
    if op.role == "weighted":
        is_recurrent = name.removesuffix("cell") in ("rnn", "lstm", "gru")
        return _SETTLED * max(1, len(op.weights) // 2) if is_recurrent else 1
    if op.role == "pool":
        count, _ = pools.windows(op.args, Value(1.0)) if "pool" in name else (None, None)
        return _OF_POSITION * int(min(count or pools.TYPICAL, pools.MOST))
    if op.role == "merge_cat":
        return _OF_PART * len(op.inputs)
    if op.role == "norm" and op.inputs and op.inputs[0].role == "merge_cat":
        return _OF_PART * len(op.inputs[0].inputs)
    if op.role in _FUNCTIONS:
        return _OF_GAUSSIAN if _is_gaussian(op) else _OF_SAMPLES
    return 1


def _is_gaussian(op: Op) -> bool:
    """Whether what an operation reads comes from a weighted one, whose result is Gaussian."""
    value = op.inputs[0] if len(op.inputs) == 1 else op
    while value.role in _KEEPING and len(value.inputs) == 1:
        value = value.inputs[0]
    return value.role in ("weighted", "input")
