"""Affine couplings of normalising flows, `x * exp(s) + t`: residual branches with a factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initlint.graph.branches import Charge, free
from initlint.graph.ops import Op

_PASSED = ("shape", "dropout", "scale", "choice")
# What makes a factor of s; a sigmoid is a gate elsewhere.
_FACTORS = ("exp", "sigmoid", "softplus")


def in_couplings(ops: Sequence[Op], charge: Charge = free) -> set[Op]:
    """The operations of the networks that give s and t, from where the data fork.

    Both are small at PyTorch's default, so that the coupling starts near the identity. With
    recommended scales six couplings of a RealNVP explode (docs/outcomes.md): as in any other
    residual branch without normalisation, they are left alone.
    """
    found: set[Op] = set()
    for op in ops:
        for stream, factor, shift in _forms(op):
            fork = _source(stream)
            scaling, shifting = _before(factor, fork), _before(shift, fork)
            charge(len(scaling) + len(shifting))
            # The stream goes by; a gate is a factor of what has been added, or of another gate.
            is_gate = op in scaling or _source(shift).role == "gate"
            if not is_gate and fork.role != "weighted" and _weighs(scaling) and _weighs(shifting):
                found |= scaling | shifting
    return found


def _forms(op: Op) -> Iterator[tuple[Op, Op, Op]]:
    """Stream, factor and shift, where an operation is `x * f + t` or `(x + t) * f`."""
    if len(op.inputs) != 2:
        return
    for one, other in (op.inputs, op.inputs[::-1]):
        inner = _source(one)
        if len(inner.inputs) != 2:
            continue
        for stream, second in (inner.inputs, inner.inputs[::-1]):
            if op.role == "merge_add" and inner.role == "gate" and _is_factor(second):
                yield stream, second, other
            elif op.role == "gate" and inner.role == "merge_add" and _is_factor(other):
                yield stream, other, second


def _source(value: Op) -> Op:
    """What a value is, moved, masked or scaled."""
    while value.role in _PASSED and len(value.inputs) == 1:
        value = value.inputs[0]
    return value


def _is_factor(value: Op) -> bool:
    return _source(value).activation in _FACTORS


def _weighs(ops: set[Op]) -> bool:
    return any(op.role == "weighted" for op in ops)


def _before(end: Op, fork: Op) -> set[Op]:
    """The operations before `end`, and behind `fork`, up to a normalisation."""
    found: set[Op] = set()
    waiting = [end]
    while waiting:
        op = waiting.pop()
        if op not in found and op is not fork and op.role != "norm":
            found.add(op)
            waiting += op.inputs
    return found
