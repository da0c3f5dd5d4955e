"""Tokens that attention can hardly tell apart: what is added to all of them drowns the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initlint.graph.branches import Charge
from initlint.graph.ops import Op, Operand
from initlint.graph.signal import predicted
from initlint.graph.signal_cost import cost
from initlint.graph.signal_terms import Given
from initlint.graph.signal_weighted import Known
from initlint.recommend.runs import is_lookup
from initlint.records import Layer, Whole

# The part of E[x²] that all tokens may have in common.
_MOST = 0.99
# Only what is so much larger than a table can have such a part.
_LARGER = 5.0


def tokens(
    layers: Sequence[Layer], ops: Sequence[Op], given: Given, charge: Charge
) -> Iterator[Whole]:
    """The tables whose rows are drowned before the first attention, with the common part."""
    tables = [op for op in ops if is_lookup(op) and op.weights]
    known = {op: weight for op in tables if (weight := given.weights(op)[0]).std}
    if not known or not any(map(_is_attention, ops)) or not _is_drowned(ops, known, given):
        return
    charge(cost(ops))
    found, names = predicted(ops, given), {layer.parameter for layer in layers}
    told: set[str] = set()
    for op in ops:
        if not _is_attention(op):
            continue
        value = found.values[op.inputs[-1]]
        share = value.places / value.q if value.q > 0 else 0.0
        above = [table for table in _above(op.inputs[-1]) if table in known]
        own = [known[table].name for table in above if found.values[table].places == 0]
        if share > _MOST and own and own[0] in names - told:
            told.add(own[0])
            yield Whole(
                "tokens", (own[0],), math.sqrt(share / (1 - min(share, 1 - 1e-9))), share=share
            )


def _is_attention(op: Op) -> bool:
    return bool(op.inputs) and (op.role == "attention" or op.name == "MultiheadAttention")


def _is_drowned(ops: Sequence[Op], tables: dict[Op, Known], given: Given) -> bool:
    """Whether a parameter that all tokens share is that much larger than a table's rows."""
    smallest = min(math.hypot(table.mean, table.std or 0.0) for table in tables.values())
    for op in ops:
        offset = op.args.get("offset") if op.role in ("merge_add", "scale") else None
        moments = given.content(offset.parameter) if type(offset) is Operand else None
        if moments is not None and math.hypot(*moments) > _LARGER * smallest:
            return True
    return False


def _above(op: Op) -> Iterator[Op]:
    """A value and those it is computed from, position by position, the nearest first."""
    waiting, seen = [op], {op}
    while waiting:
        found = waiting.pop(0)
        yield found
        if found.role in ("pool", "attention") or is_lookup(found):
            continue
        fresh = [value for value in found.inputs if value not in seen]
        seen.update(fresh)
        waiting += fresh
