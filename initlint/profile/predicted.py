"""The rows of a prediction: what the calculus says of each weighted operation of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from initlint.graph.ops import Op
from initlint.graph.signal_terms import Prediction
from initlint.profile.signals import Row

_GAUSSIAN = "the prediction assumes inputs with mean 0 and variance 1"
_INDICES = "; that indices are uniform over the rows of the embedding"
# The theory's own error, beside that of a finite width.
_OWN_ERROR = 0.06
_NINETY = 1.645
# Behind these, a value has the scale that they give it, whatever came in.
_NO_SCALES = ("FrozenBatchNorm", "LocalResponseNorm", "local_response_norm", "CrossMapLRN")
_TABLES = ("Embedding", "embedding")


def assumed_of(ops: Sequence[Op]) -> str:
    """What is assumed of a model's inputs, if none are given."""
    has_tables = any(op.weights and op.name.startswith(_TABLES) for op in ops)
    return _GAUSSIAN + (_INDICES if has_tables else "")


class Named(NamedTuple):
    """The names of one use of a weight: its parameter, its layer, and the layer's class."""

    parameter: str
    layer: str
    type: str


def rows_of(
    model: str, ops: Sequence[Op], found: Prediction, named: Callable[[Op], Named]
) -> tuple[Row, ...]:
    """A row for every operation with weights, in the order of the data."""
    ahead, back = _relative(ops, found), _relative_back(ops, found)
    return tuple(
        _row(model, op, found, named(op), ahead.get(op, ""), back.get(op, ""))
        for op in ops
        if op.weights
    )


def _row(model: str, op: Op, found: Prediction, named: Named, ahead: str, back: str) -> Row:
    value = found.values[op]
    spread = math.exp(_NINETY * math.sqrt(value.noise / 4 + _OWN_ERROR**2))
    gradient = math.sqrt(found.gradients[op])
    rms = value.rms
    return Row(model, *named, rms, rms / spread, rms * spread, gradient, None, None, ahead, back)


def _relative(ops: Sequence[Op], found: Prediction) -> dict[Op, str]:
    """By operation, why its value is relative; absent if it is not.

    A normalisation gives its result a scale, so that what follows is not relative any more.
    """
    reasons: dict[Op, str] = {}
    for op in ops:
        own = found.starts.get(op, "")
        before = next((reasons[value] for value in op.inputs if value in reasons), "")
        if own or (before and not _sets_scale(op)):
            reasons[op] = own or before
    return reasons


def _sets_scale(op: Op) -> bool:
    return op.name.startswith(_TABLES) or (op.role == "norm" and not op.name.startswith(_NO_SCALES))


def _relative_back(ops: Sequence[Op], found: Prediction) -> dict[Op, str]:
    """By operation, why its gradient is relative: what it goes on to is not known."""
    reasons: dict[Op, str] = {}
    for op in reversed(ops):
        own = "" if op.role == "input" else found.starts.get(op, "")
        for value in op.inputs:
            if value in found.loose and (own or op in reasons):
                reasons.setdefault(value, own or reasons[op])
    return reasons
