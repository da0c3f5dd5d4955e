"""Affine couplings of normalising flows, `x * exp(s) + t`: residual branches with a factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from initlint.graph.branches import Charge, dominators, free
from initlint.graph.ops import Op

_PASSED = ("shape", "dropout", "scale", "choice")


def in_couplings(ops: Sequence[Op], charge: Charge = free) -> set[Op]:
    """The operations of the networks that give s and t, from where the data fork.

    Both are small at PyTorch's default, so that the coupling starts near the identity. With
    recommended scales six couplings of a RealNVP explode (docs/outcomes.md): as in any other
    residual branch without normalisation, they are left alone.
    """
    found: set[Op] = set()
    forks: Mapping[Op, Op | None] | None = None
    for join in ops:
        for gate in _scaled_by_exp(join):
            forks = forks or dominators({op: op for op in ops}, charge)
            # What is multiplied is the stream; all else that is added or is the factor counts.
            ends = [value for value in join.inputs if value is not gate]
            ends += [value for value in gate.inputs if _is_exp(value)]
            found |= _between(ends, forks[join])
    return found


def _scaled_by_exp(join: Op) -> Iterator[Op]:
    """The products with an exponential among the two values that are added."""
    if join.role != "merge_add" or len(join.inputs) != 2:
        return
    for value in join.inputs:
        while value.role in _PASSED and len(value.inputs) == 1:
            value = value.inputs[0]
        if value.role == "gate" and len(value.inputs) == 2 and any(map(_is_exp, value.inputs)):
            yield value


def _is_exp(value: Op) -> bool:
    while value.role in _PASSED and len(value.inputs) == 1:
        value = value.inputs[0]
    return value.activation == "exp"


def _between(ends: Sequence[Op], fork: Op | None) -> set[Op]:
    """The operations before `ends`, and behind `fork`, up to a normalisation."""
    found: set[Op] = set()
    waiting = list(ends)
    while waiting:
        op = waiting.pop()
        if op not in found and op is not fork and op.role != "norm":
            found.add(op)
            waiting += op.inputs
    return found
