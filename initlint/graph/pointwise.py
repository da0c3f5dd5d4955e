"""Activations written out by hand: evaluated on a grid of numbers, and compared with known ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from initlint.graph.ops import KEPT, Op, Operand
from initlint.torchlib import catalog

_REACH, _STEPS = 8.0, 64
# Signals with a variance around one live here. Zero, where kinks and poles lie, is not on the grid.
_GRID = tuple(_REACH * (2 * step / _STEPS - 1) + 0.03 for step in range(_STEPS + 1))
# A signal with a variance of one hardly ever comes to a bound beyond this.
_MET = 3.0
_EXACT, _CLOSE = 1e-3, 0.025
# How many operations one value may be computed by.
_LARGEST = 60
# Casts and copies: every element stays itself at its own place.
_CASTS = {
    *("to", "type", "type_as", "float", "half", "bfloat16", "double", "clone", "contiguous"),
    *("detach", "data", "alias"),
}
# Not known by their own rows: of arguments that a curve alone does not tell, or fitted below.
_NO_CURVE = ("prelu", "rrelu", "linear", "threshold", "sin")


def recognised(op: Op, origin: Op) -> tuple[str, Mapping[str, Any]] | None:
    """The activation that `op` computes of `origin`, and its arguments; linear for a line.

    Nothing else may reach `op` but numbers and parameters, which count as neutral.
    """
    try:
        values = [_Evaluation(origin, x).of(op) for x in _GRID]
    except (ValueError, TypeError, KeyError, ArithmeticError, IndexError):
        # Whatever an expression raises on numbers of our own choice, it is not recognised.
        return None
    if not all(type(value) is float and math.isfinite(value) for value in values):
        return None
    return _nearest(values)


class _Evaluation:
    """Computes the operations between `origin` and a result for one value of the origin."""

    def __init__(self, origin: Op, x: float) -> None:
        self._known: dict[Op, Any] = {origin: x}

    def of(self, op: Op) -> Any:
        """The value of `op`; raises ValueError or KeyError where it cannot be had."""
        if op not in self._known:
            if len(self._known) > _LARGEST:
                raise ValueError(op.name)
            value = self._computed(op)
            self._known[op] = float(value) if isinstance(value, (int, float)) else value
        return self._known[op]

    def _computed(self, op: Op) -> Any:
        if op.role == "activation":
            row = catalog.activations()[op.activation]
            return row.value(self.of(op.inputs[0]), op.args)
        name = op.bare_name
        if name in _SIZES:
            return None
        if name in _CASTS or (op.role == "dropout" and "masked" not in name):
            return self.of(op.operands[0])
        bounds = (*op.operands[1:], *op.keywords.values())
        if "clamp" in name and any(b is KEPT or type(b) is Operand for b in bounds):
            # Bounds that are kept as tensors are calibrated to let signals pass.
            return self.of(op.operands[0])
        function = _FUNCTIONS[_plain_name(name)]
        neutral = _neutral(name)
        args = [self._argument(value, neutral) for value in op.operands]
        keywords = {
            key: self._argument(value, neutral)
            for key, value in op.keywords.items()
            if key not in ("device", "dtype", "out", "inplace")
        }
        return function(*args, **keywords)

    def _argument(self, value: Any, neutral: float | None) -> Any:
        if type(value) is Op:
            return self.of(value)
        if type(value) is Operand and neutral is not None:
            return neutral
        if value is None or isinstance(value, (int, float)):
            return value
        raise ValueError(value)


# Questions whose answers are no numbers, and which only say how large a new tensor is.
_SIZES = {"size", "shape", "dtype", "device", "dim", "ndim"}


def _plain_name(name: str) -> str:
    """The name of an operator without the letter of its in-place form: imul is mul."""
    bare = name.removeprefix("i")
    return bare if bare in _FUNCTIONS and name not in _FUNCTIONS else name


def _neutral(name: str) -> float | None:
    """The number that stands for a parameter in an operation: a scale is 1, a shift 0."""
    if "mul" in name or "div" in name:
        return 1.0
    return 0.0 if "add" in name or "sub" in name else None


def _nearest(values: Sequence[float]) -> tuple[str, Mapping[str, Any]] | None:
    slope = (values[-1] - values[0]) / (_GRID[-1] - _GRID[0])
    line = [values[0] + slope * (x - _GRID[0]) for x in _GRID]
    if _distance(values, line) < _EXACT:
        return ("linear", {}) if slope > _EXACT else None
    low, high = values[0], values[-1]
    if low < high and _distance(values, [min(max(x, low), high) for x in _GRID]) < _EXACT:
        return _clamped(round(low, 6), round(high, 6))
    found = []
    for name, args in _candidates(values):
        curve = _curve(name, tuple(args.items()))
        scale = sum(a * b for a, b in zip(values, curve, strict=True)) / sum(b * b for b in curve)
        scaled = [scale * value for value in curve]
        exact = scale > 0 and _distance(values, scaled) < _EXACT * max(1.0, scale)
        found.append((0.0 if exact else _distance(values, curve), name, args))
    error, name, args = min(found, key=lambda entry: entry[0])
    return (name, args) if error < _CLOSE else None


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _clamped(low: float, high: float) -> tuple[str, Mapping[str, Any]] | None:
    """The bounds of a clamp that matter for a signal with a variance of about one.

    Bounds beyond the grid have no effect on such a signal.
    """
    if low == 0 and high > _MET:
        return ("relu6" if high == 6 else "relu"), {}
    if -_MET <= low < high <= _MET:
        return "hardtanh", {"min_val": low, "max_val": high}
    return ("linear", {}) if low < -_MET and high > _MET else None


def _candidates(values: Sequence[float]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All activations, simplest first, with the arguments that the values at the ends suggest."""
    plain: list[str] = []
    fitted: list[tuple[str, dict[str, Any]]] = []
    slope = (values[0] / _GRID[0]) / (values[-1] / _GRID[-1]) if values[-1] else 0.0
    arguments: dict[str, dict[str, Any]] = {
        "leaky_relu": {"negative_slope": round(slope, 6)} if 0 < slope < 1 else {},
        "elu": {"alpha": round(-values[0], 3)} if values[0] < 0 else {},
    }
    for row in catalog.activations().values():
        if not row.formula or row.name in _NO_CURVE:
            continue
        args = arguments.get(row.name, {})
        if args and args != row.arguments:
            fitted.append((row.name, args))
        else:
            plain.append(row.name)
    yield from ((name, {}) for name in plain)
    yield from fitted


@cache
def _curve(name: str, args: tuple[tuple[str, Any], ...]) -> tuple[float, ...]:
    row, given = catalog.activations()[name], dict(args)
    return tuple(row.value(x, given) for x in _GRID)


# The functions of torch on numbers, by their names without underscores.


def _clamp(x: float, min: float | None = None, max: float | None = None) -> float:
    low = x if min is None or x > min else min
    return low if max is None or low < max else max


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _where(condition: bool, one: float, other: float) -> float:
    return one if condition else other


def _masked_fill(x: float, mask: bool, value: float) -> float:
    return value if mask else x


def _set_where(x: float, mask: Any, value: float) -> float:
    if type(mask) is not float:
        # No comparison's result: it tells places, as in y[0] = 0.
        raise ValueError(mask)
    return value if mask else x


def _full(*values: Any, fill_value: float | None = None) -> float:
    number = fill_value if fill_value is not None else values[-1]
    return float(number)


def _sum(x: float, other: float, alpha: float = 1) -> float:
    return x + alpha * other


def _difference(x: float, other: float, alpha: float = 1) -> float:
    return x - alpha * other


_Function = Callable[..., Any]
_FUNCTIONS: dict[str, _Function] = {
    **dict.fromkeys(("add", "radd"), _sum),
    **dict.fromkeys(("sub", "subtract"), _difference),
    "rsub": lambda x, other, alpha=1: other - alpha * x,
    **dict.fromkeys(("mul", "rmul", "multiply"), lambda x, other: x * other),
    **dict.fromkeys(("truediv", "div", "true_divide", "divide"), lambda x, other: x / other),
    **dict.fromkeys(("rtruediv", "rdiv"), lambda x, other: other / x),
    **dict.fromkeys(("neg", "negative"), lambda x: -x),
    **dict.fromkeys(("pos", "positive"), lambda x: x),
    **dict.fromkeys(("pow", "float_power"), lambda x, exponent: x**exponent),
    "rpow": lambda x, base: base**x,
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
    "exp2": lambda x: 2.0**x,
    "expm1": math.expm1,
    "log": math.log,
    "log2": math.log2,
    "log1p": math.log1p,
    "logaddexp": lambda x, other: max(x, other) + math.log1p(math.exp(-abs(x - other))),
    "erf": math.erf,
    "erfc": math.erfc,
    "ndtr": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
    **dict.fromkeys(("abs", "absolute"), abs),
    **dict.fromkeys(("sign", "sgn"), _sign),
    "sin": math.sin,
    "cos": math.cos,
    "sinh": math.sinh,
    "cosh": math.cosh,
    **dict.fromkeys(("atan", "arctan"), math.atan),
    **dict.fromkeys(("asinh", "arcsinh"), math.asinh),
    "heaviside": lambda x, value: value if x == 0 else float(x > 0),
    "xlogy": lambda x, other: x * math.log(other) if x else 0.0,
    "where": _where,
    "masked_fill": _masked_fill,
    "setitem": _set_where,
    "addcmul": lambda x, one, other, value=1: x + value * one * other,
    "lerp": lambda start, end, weight: start + weight * (end - start),
    **dict.fromkeys(("gt", "greater"), lambda x, other: x > other),
    **dict.fromkeys(("ge", "greater_equal"), lambda x, other: x >= other),
    **dict.fromkeys(("lt", "less"), lambda x, other: x < other),
    **dict.fromkeys(("le", "less_equal"), lambda x, other: x <= other),
    "eq": lambda x, other: x == other,
    "ne": lambda x, other: x != other,
    **dict.fromkeys(("logical_not", "invert", "bitwise_not"), lambda x: not x),
    **dict.fromkeys(("isnan", "isinf"), lambda x: False),
    "isfinite": lambda x: True,
    "signbit": lambda x: x < 0,
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), lambda *size, **more: 0.0),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda *size, **more: 1.0),
    **dict.fromkeys(("full", "full_like", "new_full", "tensor", "new_tensor"), _full),
}
