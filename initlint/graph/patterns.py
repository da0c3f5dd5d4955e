"""Activations and normalisations written out by hand, recognised as what they compute."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.graph.branches import dominators
from initlint.graph.ops import Graph, Op, leaves_of
from initlint.graph.pointwise import recognised

# The most operations of an activation written out by hand, and the most values that the search for
# its input visits.
_LARGEST, _FURTHEST = 24, 4
# A smaller number that is added to a signal is the epsilon of a division.
_EPSILON = 1e-2
_REDUCTIONS = {"mean", "var", "std", "sum", "amax", "norm", "vector_norm"}
_HOMOGENEOUS = ("relu", "leaky_relu", "prelu", "rrelu")


def name_patterns(graph: Graph) -> None:
    """Rewrite the results of written-out operations; the parts of one, used nowhere else, go.

    A result that is a known function of one value, element by element, becomes that activation
    (`x * sigmoid(x)` is silu), or is looked through if the function is a straight line. A result
    that a statistic of the value itself makes independent of the value's scale becomes a norm.
    """
    graph.close()
    ends = [op for op in graph.nodes if op.role in _ENDING and _may_end(op)]
    if not ends:
        return
    graph.costs.elements(len(graph.nodes))
    back = dominators({op: op for op in graph.nodes}, graph.costs.elements)
    users = _users(graph)
    absorbed: set[Op] = set()
    for op in ends:
        if _is_sine(op):
            absorbed |= _name_sine(op, users)
            continue
        origin: Op | None = op.inputs[0] if op.role == "activation" else op
        for _ in range(_FURTHEST):
            origin = back[origin] if origin is not None else None
            region = _region(op, origin) if origin is not None else None
            if origin is None or region is None:
                break
            if _rename(op, origin, region):
                absorbed |= _inner(region, op, users)
                break
    if absorbed:
        graph.nodes = [op for op in graph.nodes if op not in absorbed]


_ENDING = {
    *("gate", "unknown", "activation", "merge_add"),
    *("scale", "pool", "merge_cat", "dropout"),
}


def _may_end(op: Op) -> bool:
    """Whether a pattern may end at an operation with one of these roles."""
    if op.role == "gate":
        return True
    if op.role == "unknown":
        return bool(op.name)
    if op.role == "activation":
        return _is_shifted(op)
    if op.role == "merge_add":
        return len(op.inputs) == 2 and any(
            _is_reduction(value) or value.role == "unknown" for value in op.inputs
        )
    if not op.operands:
        return False
    return _is_choice(op) or any(
        type(part) is Op and part.role == "query" for part in leaves_of(op.operands)
    )


def _is_sine(op: Op) -> bool:
    """Whether an operation is the sine of a value times a number: sin(30 * x)."""
    before = op.inputs[0] if len(op.inputs) == 1 else None
    if op.bare_name != "sin" or before is None or before.role != "scale":
        return False
    return len(before.inputs) == 1 and isinstance(before.args.get("factor"), float)


def _name_sine(op: Op, users: dict[Op, list[Op]]) -> set[Op]:
    """Make it the activation; the product goes, unless something else uses it."""
    (product,) = op.inputs
    op.role, op.activation, op.inputs = "activation", "sin", product.inputs
    op.args = {"omega": product.args["factor"]}
    return {product} if users[product] == [op] else set()


def _is_shifted(op: Op) -> bool:
    """Whether a number is added before an activation: relu6(x + 3) is a hard sigmoid."""
    before = op.inputs[0] if op.inputs else None
    return before is not None and before.role == "scale" and "add" in before.name


def _is_choice(op: Op) -> bool:
    """The larger or smaller of two values, or one or the other of them."""
    several = len(op.operands) > 1 and not isinstance(op.operands[1], int)
    return op.bare_name in ("where", "max", "min") and several


def _is_reduction(op: Op) -> bool:
    return op.bare_name in _REDUCTIONS


def _is_proportional(op: Op) -> bool:
    """Whether an operation was found to be, as a whole, its only input times a factor."""
    return op.role in ("scale", "norm") and bool(op.args.get("written"))


def _users(graph: Graph) -> dict[Op, list[Op]]:
    found: dict[Op, list[Op]] = {op: [] for op in graph.nodes}
    for op in graph.nodes:
        for value in op.inputs:
            found[value].append(op)
    return found


def _region(end: Op, origin: Op) -> list[Op] | None:
    """The operations from which `end` is computed, itself first, if all data is `origin`'s."""
    found: dict[Op, None] = {}
    waiting = [end]
    while waiting:
        op = waiting.pop()
        if op is origin or op in found:
            continue
        if op.role in ("input", "weighted", "attention") or len(found) > _LARGEST:
            return None
        found[op] = None
        waiting.extend(op.inputs)
    return list(found)


def _rename(op: Op, origin: Op, region: Sequence[Op]) -> bool:
    """Make `op` the one operation that its region is, if that is known."""
    if any(map(_is_reduction, region)):
        return not _adds_a_sum(op) and _rename_by_degree(op, origin)
    found = recognised(op, origin)
    if found is None:
        return any(map(_is_proportional, region)) and _rename_by_degree(op, origin)
    op.role, op.inputs = ("scale" if found[0] == "linear" else "activation"), (origin,)
    op.args = {"written": True}
    if op.role == "activation":
        op.activation, op.args = found
    return True


def _adds_a_sum(op: Op) -> bool:
    """Whether a sum over many values is added to a value, as in `h + h.sum(1, keepdim=True)`."""
    return op.role == "merge_add" and any(value.bare_name == "sum" for value in op.inputs)


def _rename_by_degree(op: Op, origin: Op) -> bool:
    degree = _degree(op, {origin: 1.0})
    if degree not in (0, 1):
        return False
    op.role, op.inputs, op.args = ("norm" if degree == 0 else "scale"), (origin,), {"written": True}
    return True


def _inner(region: Sequence[Op], result: Op, users: dict[Op, list[Op]]) -> set[Op]:
    """Those parts whose value goes nowhere but into the pattern."""
    inside: set[Op] = {result}
    changed = True
    while changed:
        fresh = {
            part
            for part in region
            if part not in inside and all(user in inside for user in users[part])
        }
        changed = bool(fresh)
        inside |= fresh
    return inside - {result}


# By what power of the origin's scale a value scales: 1 for a mean, 2 for a variance.


def _degree(op: Op, known: dict[Op, float | None]) -> float | None:
    """The power; None where the value is no power of the origin's scale."""
    if op not in known:
        degrees = [_degree(value, known) for value in op.inputs]
        sure = [degree for degree in degrees if degree is not None]
        known[op] = _combined(op, sure) if sure and len(sure) == len(degrees) else None
    return known[op]


_POWERS = {
    **dict.fromkeys(_REDUCTIONS, 1.0),
    "var": 2.0,
    "square": 2.0,
    "sqrt": 0.5,
    "rsqrt": -0.5,
    "reciprocal": -1.0,
}
_SAME_DEGREE = ("abs", "clamp", "clamp_min", "clip", "maximum")


def _combined(op: Op, degrees: list[float]) -> float | None:
    name = op.bare_name
    if op.role == "norm":
        return 0.0
    if _is_proportional(op):
        return degrees[0]
    if op.role == "activation":
        return degrees[0] if op.activation in _HOMOGENEOUS else None
    if name in _POWERS:
        return degrees[0] * _POWERS[name]
    if name in ("pow", "ipow"):
        power = op.operands[1] if len(op.operands) > 1 else op.keywords.get("exponent")
        return degrees[0] * power if isinstance(power, (int, float)) else None
    if "mul" in name:
        squared = len(degrees) == 1 and sum(part is op.inputs[0] for part in op.operands) == 2
        return 2 * degrees[0] if squared else sum(degrees)
    if "div" in name:
        return _quotient(op, degrees)
    if "add" in name or "sub" in name:
        if len(degrees) == 1 and not op.operands:
            # Copied from another graph: what is added is not known any more.
            return None
        numbers = [value for value in op.operands if isinstance(value, (int, float))]
        small = all(abs(number) <= _EPSILON for number in numbers)
        return degrees[0] if small and len(set(degrees)) == 1 else None
    keeps = op.role in ("shape", "dropout", "scale", "pool") or name in _SAME_DEGREE
    return degrees[0] if keeps and len(set(degrees)) == 1 else None


def _quotient(op: Op, degrees: list[float]) -> float:
    if len(degrees) == 2:
        return degrees[0] - degrees[1]
    divided = op.operands and type(op.operands[0]) is Op
    return degrees[0] if divided != op.bare_name.startswith("r") else -degrees[0]
