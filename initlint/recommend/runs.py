"""Runs: what lies between two normalisations, the model's inputs and its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import TypeVar

from initlint.graph.ops import Op
from initlint.graph.signal_terms import Prediction

_T = TypeVar("_T")
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


def read(op: Op, starts: Mapping[Op, Op]) -> Op:
    """The run that an operation reads from, by the operation at which it starts."""
    return starts[op.inputs[0]] if op.inputs else op


def on_paths(
    ops: Sequence[Op],
    starts: Mapping[Op, Op],
    own: Mapping[tuple[Op, Op], _T],
    worse: Callable[[_T, _T], _T],
) -> dict[Op, _T]:
    """By every operation the worst of `own` on the paths through it, within the run that it reads.

    `own` is by an operation and the input that it is found at. Networks that read the same data are
    one run; by their paths they do not count for each other.
    """
    goes_on = {op: starts[op] is read(op, starts) for op in ops}
    inputs = {op: [v for v in op.inputs if starts[v] is read(op, starts)] for op in ops}

    def found_at(op: Op, value: Op) -> list[_T]:
        return [own[op, value]] if (op, value) in own else []

    before: dict[Op, _T] = {}
    behind: dict[Op, _T] = {}
    arriving: dict[Op, list[_T]] = {}
    for op in ops:
        arriving[op] = [before[value] for value in inputs[op] if value in before]
        arriving[op] += [each for value in inputs[op] for each in found_at(op, value)]
        if arriving[op] and goes_on[op]:
            before[op] = reduce(worse, arriving[op])
    for op in reversed(ops):
        later = [behind[op]] if goes_on[op] and op in behind else []
        for value in inputs[op]:
            # Of two alike, the first operation counts.
            every = [*found_at(op, value), *later, *([behind[value]] if value in behind else [])]
            if every:
                behind[value] = reduce(worse, every)
    through = {
        op: arriving[op] + ([behind[op]] if goes_on[op] and op in behind else []) for op in ops
    }
    return {op: reduce(worse, every) for op, every in through.items() if every}
