"""Activations and normalisations written out by hand, recognised by what they compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from initlint import catalog
from initlint.dataflow.branches import dominators
from initlint.source.graph import Graph, Node
from initlint.source.values import Held, Plain, Slot, Tensor, Value

# How many operations a written-out one may be made of, and how far back its beginning may lie.
_LARGEST, _FURTHEST = 24, 4
_EXACT, _CLOSE = 1e-3, 0.025
# Where functions are compared: signals with a variance around one live here.
_GRID = tuple(x / 4 + 0.03 for x in range(-32, 33))
_EPSILON = 1e-2
_REDUCTIONS = {"mean", "var", "std", "sum", "amax", "norm", "vector_norm"}
_CASTS = {"to", "type", "type_as", "float", "half", "bfloat16", "double", "clone", "contiguous"}


def name_patterns(graph: Graph) -> None:
    """Rewrite the nodes that are results of written-out operations; their parts stay, unused.

    A result that is a known function of one value, element by element, becomes that activation;
    one that a statistic of the value makes independent of its scale becomes a norm.
    """
    graph.close()
    ends = [node for node in graph.nodes if _may_end(node)]
    if not ends:
        return
    steps = {node: node for node in graph.nodes}
    graph.budget.elements(len(graph.nodes))
    back = dominators(steps, graph.budget.elements)
    for node in ends:
        origin: Node | None = node
        for _ in range(_FURTHEST):
            origin = back[origin] if origin is not None else None
            if origin is None or _renamed(node, origin):
                break


def _may_end(node: Node) -> bool:
    if node.role == "gate":
        return True
    if node.role == "activation":
        before = node.inputs[0] if node.inputs else None
        return before is not None and before.role == "scale" and "add" in before.name
    name = node.name.strip("_")
    return (node.role == "unknown" and bool(name)) or name in ("clamp", "clip", "where", "max")


def _renamed(node: Node, origin: Node) -> bool:
    region = _region(node, origin)
    if region is None:
        return False
    if any(part.name.strip("_") in _REDUCTIONS for part in region):
        return _normalised(node, origin, region)
    found = _recognised(node, origin)
    if found is None:
        return False
    node.role, node.inputs = (
        ("scale", (origin,)) if found[0] == "linear" else ("activation", (origin,))
    )
    node.activation, node.args = found
    return True


def _region(end: Node, origin: Node) -> list[Node] | None:
    """The nodes from which `end` is computed, if all data comes from `origin`."""
    found: dict[Node, None] = {}
    waiting = [end]
    while waiting:
        node = waiting.pop()
        if node is origin or node in found:
            continue
        if node.role in ("input", "weighted", "attention") or len(found) > _LARGEST:
            return None
        found[node] = None
        waiting.extend(node.inputs)
    return list(found)


# What a written-out activation computes.


def _recognised(node: Node, origin: Node) -> tuple[str, Mapping[str, Any]] | None:
    try:
        values = [float(_value(node, {origin: x})) for x in _GRID]
    except (ValueError, TypeError, KeyError, ArithmeticError, IndexError):
        return None
    if not all(map(math.isfinite, values)):
        return None
    slope = (values[-1] - values[0]) / (_GRID[-1] - _GRID[0])
    line = [values[0] + slope * (x - _GRID[0]) for x in _GRID]
    if _distance(values, line) < _EXACT:
        return ("linear", {}) if slope > _EXACT else None
    return _nearest(values)


def _nearest(values: Sequence[float]) -> tuple[str, Mapping[str, Any]] | None:
    found = []
    for name, args, curve in _curves():
        scale = sum(a * b for a, b in zip(values, curve, strict=True)) / sum(b * b for b in curve)
        scaled = [scale * value for value in curve]
        exact = scale > 0 and _distance(values, scaled) < _EXACT * max(1.0, scale)
        found.append((0.0 if exact else _distance(values, curve), name, args))
    error, name, args = min(found, key=lambda entry: entry[0])
    return (name, args) if error < _CLOSE else None


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


_NO_CURVE = ("prelu", "rrelu", "linear", "threshold", "hardtanh", "elu", "celu", "softplus")


@cache
def _curves() -> list[tuple[str, Mapping[str, Any], list[float]]]:
    found = []
    for activation in catalog.activations().values():
        if activation.formula and activation.name not in _NO_CURVE:
            curve = [activation.value(x) for x in _GRID]
            found.append((activation.name, activation.arguments, curve))
    return found


def _value(node: Node, known: dict[Node, Any]) -> Any:
    """What a node computes where some are `known`; parameters count as neutral.

    What a node computes is worked out once: a square of a square of … is met more often.
    """
    if node not in known:
        known[node] = _computed(node, known)
    return known[node]


def _computed(node: Node, known: dict[Node, Any]) -> Any:
    if node.role == "activation":
        row = catalog.activations()[node.activation]
        return row.value(_value(node.inputs[0], known), node.args)
    name = node.name.strip("_")
    if name in _CASTS or node.role == "dropout":
        return _value(node.inputs[0], known)
    function = _FUNCTIONS[name]
    neutral = 1.0 if name in ("mul", "truediv", "div", "imul", "multiply") else 0.0
    args = [_argument(value, known, neutral) for value in node.operands]
    keywords = {k: _argument(v, known, neutral) for k, v in node.keywords.items()}
    return function(*args, **keywords)


def _argument(value: Value, known: dict[Node, Any], neutral: float) -> Any:
    if type(value) is Tensor:
        return _value(value.node, known)
    if isinstance(value, (Slot, Held)):
        return neutral
    if isinstance(value, Plain):
        # A fresh tensor beside the data is one of zeros, as in maximum(x, zeros).
        return 0.0
    if value is None or isinstance(value, (int, float)):
        return value
    raise ValueError(value)


def _clamp(x: float, min: float | None = None, max: float | None = None) -> float:
    low = x if min is None or x > min else min
    return low if max is None or low < max else max


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("add", "iadd"), lambda x, other, alpha=1: x + alpha * other),
    **dict.fromkeys(("sub", "isub", "subtract"), lambda x, other, alpha=1: x - alpha * other),
    **dict.fromkeys(("mul", "imul", "multiply"), lambda x, other: x * other),
    **dict.fromkeys(("truediv", "div", "true_divide", "divide"), lambda x, other: x / other),
    **dict.fromkeys(("neg", "negative"), lambda x: -x),
    **dict.fromkeys(("pow", "float_power"), lambda x, exponent: x**exponent),
    **dict.fromkeys(("clamp", "clip"), _clamp),
    "clamp_min": lambda x, min: _clamp(x, min),
    "clamp_max": lambda x, max: _clamp(x, None, max),
    **dict.fromkeys(("maximum", "max", "fmax"), max),
    **dict.fromkeys(("minimum", "min", "fmin"), min),
    "square": lambda x: x * x,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "erf": math.erf,
    "abs": abs,
    "sign": lambda x: math.copysign(1, x),
}


# What a written-out normalisation does to scale.


def _normalised(node: Node, origin: Node, region: Sequence[Node]) -> bool:
    """Whether a result no longer depends on the scale of its origin (RMSNorm, L2 norm)."""
    degree = _degree(node, origin, {origin: 1.0})
    if degree not in (0, 1):
        return False
    node.role, node.inputs = ("norm" if degree == 0 else "scale"), (origin,)
    return True


def _degree(node: Node, origin: Node, known: dict[Node, float | None]) -> float | None:
    """By what power of the origin's scale a value scales: 1 for a mean, 2 for a variance."""
    if node not in known:
        degrees = [_degree(value, origin, known) for value in node.inputs]
        sure = [degree for degree in degrees if degree is not None]
        known[node] = _combined(node, sure) if sure and len(sure) == len(degrees) else None
    return known[node]


_POWERS = {
    **dict.fromkeys(_REDUCTIONS, 1.0),
    "var": 2.0,
    "square": 2.0,
    "sqrt": 0.5,
    "rsqrt": -0.5,
    "reciprocal": -1.0,
}


def _combined(node: Node, degrees: list[float]) -> float | None:
    name = node.name.strip("_")
    numbers = [value for value in node.operands if isinstance(value, (int, float))]
    if name in _POWERS:
        return degrees[0] * _POWERS[name]
    if name == "pow":
        return degrees[0] * numbers[0] if numbers else None
    if name in ("mul", "multiply", "imul"):
        squared = len(degrees) == 1 and sum(type(v) is Tensor for v in node.operands) == 2
        return 2 * degrees[0] if squared else sum(degrees)
    if name in ("div", "truediv", "divide"):
        return _quotient(node, degrees)
    if name in ("add", "sub", "subtract"):
        small = all(abs(number) <= _EPSILON for number in numbers)
        return degrees[0] if small and len(set(degrees)) == 1 else None
    keeps = node.role in ("shape", "dropout", "scale", "norm", "pool") or "clamp" in name
    return degrees[0] if keeps and len(set(degrees)) == 1 else None


def _quotient(node: Node, degrees: list[float]) -> float:
    if len(degrees) == 2:
        return degrees[0] - degrees[1]
    return degrees[0] if node.operands and type(node.operands[0]) is Tensor else -degrees[0]
