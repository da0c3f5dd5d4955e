"""Runs: what lies between two normalisations, the model's inputs and its results."""

from __future__ import annotations

from collections.abc import Iterable

from initlint.graph.ops import Op
from initlint.graph.signal import Prediction

_ENDING = ("RNN", "LSTM", "GRU", "Embedding", "embedding")


def is_lookup(op: Op) -> bool:
    """Whether a weight is a table that is looked up."""
    return op.name.startswith(("Embedding", "embedding"))


def runs(ops: Iterable[Op], found: Prediction) -> dict[Op, Op]:
    """By every operation the one at which its run starts; runs that join are one."""
    starts: dict[Op, Op] = {}
    order: dict[Op, int] = {}

    def root(op: Op) -> Op:
        while starts[op] is not op:
            starts[op] = starts[starts[op]]
            op = starts[op]
        return op

    for place, op in enumerate(ops):
        order[op] = place
        starts[op] = op
        is_new = op in found.starts or op.role == "norm" or op.name.startswith(_ENDING)
        if is_new or not op.inputs:
            continue
        # A run that only ends here is not joined by what it gates.
        roots = sorted({root(value) for value in op.inputs}, key=order.__getitem__)
        for other in roots[1:]:
            starts[other] = roots[0]
        starts[op] = roots[0]
    return {op: root(op) for op in starts}
