"""Sums over who knows how many values, as over the neighbours in a graph, and what they reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initlint.graph.mixing import Mixing, with_mixings
from initlint.graph.ops import Op
from initlint.graph.signal_terms import Prediction

# What adds rows that an index names; how many there are, the data decide.
_INDEXED = ("scatter_add", "scatter_reduce", "index_add", "index_reduce", "segment_reduce")
_SUMS = ("sum", "nansum", "cumsum")
# Products with a matrix: one that the model keeps may be that of a graph.
_MATRICES = ("matmul", "rmatmul", "mm", "bmm", "spmm", "tensordot")


def beside_sums(ops: Sequence[Op], found: Prediction) -> set[Op]:
    """The operations before and behind a sum over an unknown number of values, up to a norm.

    A degree of 4 multiplies the signal by up to 4 in every round, whatever the weights are: with
    recommended scales a graph network that trains explodes (docs/outcomes.md). A sum counts for
    what is before it only if a weighted operation reads it, or a product with another computed
    matrix, as in a network whose weights another one makes: at the model's end it is a result.
    """
    sums = set(_sums(ops, found))
    if not sums:
        return set()
    behind: set[Op] = set()
    for op in ops:
        if op in sums or (op.role != "norm" and not behind.isdisjoint(op.inputs)):
            behind.add(op)
    before: set[Op] = set()
    feeding: set[Op] = set()
    for op in reversed(ops):
        # Where this operation's inputs lead: to a weight, and through a sum to a weight.
        if op.role in ("weighted", "attention") or op in feeding:
            feeding.update(op.inputs)
        if op.role != "norm" and (op in before or (op in sums and op in feeding)):
            before.update(op.inputs)
    return behind | before


def may_sum(op: Op) -> bool:
    """Whether an operation may be such a sum, by its kind alone."""
    is_pooled = op.role == "pool" and op.bare_name in (*_SUMS, *_MATRICES, "einsum")
    return is_pooled or op.role == "attention" or op.bare_name.startswith(_INDEXED)


def _sums(ops: Sequence[Op], found: Prediction) -> Iterator[Op]:
    mixed = with_mixings({op: op for op in ops}, whole=True)
    touched: set[Op] = set()
    for op in ops:
        if op.role == "weighted" or not touched.isdisjoint(op.inputs):
            touched.add(op)
        if isinstance(mixed[op], Mixing):
            if not any(found.values[value].shares for value in op.inputs):
                yield op
        elif op.role == "pool" and op.bare_name in _SUMS:
            if found.starts.get(op) and not _is_mean(op.inputs[0], found):
                yield op
        elif (op.role == "pool" and op in touched and _multiplies(op)) or op.bare_name.startswith(
            _INDEXED
        ):
            yield op


def _multiplies(op: Op) -> bool:
    """Whether an operation sums over the positions of data by a matrix that the model keeps."""
    if op.bare_name != "einsum":
        return op.bare_name in _MATRICES
    equation = op.args.get("equation", "")
    terms, arrow, result = equation.replace("...", "").partition("->")
    if not arrow:
        return True
    return any(name.isalpha() and name not in result for name in terms)


def _is_mean(op: Op, found: Prediction) -> bool:
    """Whether values are multiplied with shares that add up to 1, as those of attention."""
    while op.role in ("shape", "dropout", "scale") and op.inputs:
        op = op.inputs[0]
    return op.role == "gate" and any(_has_shares(value, found) for value in op.inputs)


def _has_shares(op: Op, found: Prediction) -> bool:
    while op.role in ("shape", "dropout") and op.inputs:
        op = op.inputs[0]
    return found.values[op].shares is not None
