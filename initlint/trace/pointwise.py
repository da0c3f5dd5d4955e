"""Activations written out by hand, known by what they compute: evaluated and compared on a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F

from initlint import catalog
from initlint.trace.steps import TENSOR, Steps, bare_name

# Signals with a variance around one live here; what a function does beyond it is not asked.
_REACH = 8.0
# A signal with a variance of one hardly ever comes to a bound beyond this.
_MET = 3.0
_EXACT, _CLOSE = 1e-3, 0.025
# Casts and copies: every element stays itself at its own place.
CASTS = frozenset(
    {
        "to",
        "type",
        "type_as",
        "float",
        "half",
        "bfloat16",
        "double",
        "clone",
        "contiguous",
        "detach",
    }
)
_ARITHMETIC = {
    *("add", "add_", "iadd", "sub", "sub_", "isub", "rsub", "mul", "mul_", "imul", "multiply"),
    *("div", "div_", "truediv", "itruediv", "true_divide", "neg", "neg_", "negative", "subtract"),
    *("pow", "pow_", "ipow", "rpow", "square", "square_", "sqrt", "sqrt_", "rsqrt", "rsqrt_"),
    *("reciprocal", "exp", "exp_", "exp2", "expm1", "log", "log1p", "logaddexp", "erf", "erf_"),
    *("erfc", "abs", "abs_", "sign", "sgn", "sin", "cos", "clamp", "clamp_", "clip", "clip_"),
    *("clamp_min", "clamp_min_", "clamp_max", "clamp_max_", "maximum", "minimum", "max", "min"),
    *("fmax", "fmin", "where", "heaviside", "addcmul", "lerp", "xlogy", "sinh", "cosh", "atan"),
    *("masked_fill", "masked_fill_", "gt", "ge", "lt", "le", "eq", "ne", "special_expit"),
    *("zeros_like", "ones_like", "full_like", "tensor", "zeros", "ones", "full", "new_zeros"),
    *("relu", "size", "shape", "dtype", "device", "xlog1py", "special_ndtr", "ndtr", "arcsinh"),
}
_OPERATORS = {
    f"__{kind}{name}__"
    for kind in ("", "r", "i")
    for name in (*("add", "sub", "mul", "truediv", "div", "pow", "neg"),)
} | {f"__{name}__" for name in ("neg", "abs", "gt", "ge", "lt", "le", "eq", "ne")}
_PRODUCTS, _SUMS = ("mul", "div"), ("add", "sub")


def is_pointwise(node: fx.Node) -> bool:
    """Whether an operation acts on each element alone, as far as its name says."""
    name = bare_name(node)
    if name in _ARITHMETIC or name in _OPERATORS or name in CASTS:
        return True
    activation = catalog.activation_of_function(name)
    return activation is not None and bool(activation.formula)


def recognised(steps: Steps, node: fx.Node, origin: fx.Node) -> tuple[str, dict[str, Any]] | None:
    """The activation that `node` computes of `origin`, and its arguments; linear for a line.

    Nothing else may reach `node` but numbers and parameters, which count as neutral.
    """
    # The user may have made another device the default one.
    with torch.device("cpu"):
        grid = torch.linspace(-_REACH, _REACH, 1601, dtype=torch.float64)
        try:
            values = _Evaluation(steps, origin, grid).of(node)
        except Exception:
            # Whatever an expression raises on numbers of our own choice, it is not recognised.
            return None
        if not isinstance(values, torch.Tensor) or values.shape != grid.shape:
            return None
        return _nearest(grid, values.double())


class _Evaluation:
    """Computes the nodes between `origin` and a result on a grid of numbers."""

    def __init__(self, steps: Steps, origin: fx.Node, grid: torch.Tensor) -> None:
        self._steps = steps
        self._known: dict[fx.Node, Any] = {origin: grid}

    def of(self, node: fx.Node) -> Any:
        """The value of `node`; raises where it cannot be had."""
        if node not in self._known:
            self._known[node] = self._computed(node)
        value = self._known[node]
        return value.clone() if isinstance(value, torch.Tensor) else value

    def _computed(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            return torch.tensor(float(node.meta["constant"]), dtype=torch.float64)
        if node.op == "call_module":
            activation = self._steps.modules[str(node.target)]
            return type(activation).forward(activation, self.of(node.all_input_nodes[0]))
        name = bare_name(node)
        if name in CASTS or (self._steps[node].role == "dropout" and "masked" not in name):
            return self.of(node.all_input_nodes[0])
        if "clamp" in name and any(b.op == "get_attr" for b in node.all_input_nodes[1:]):
            # Bounds that are kept as tensors are calibrated to let signals pass.
            return self.of(node.all_input_nodes[0])
        neutral = self._neutral(name)
        args = fx.node.map_arg(node.args, lambda part: self._argument(part, neutral))
        keywords = {
            key: value for key, value in node.kwargs.items() if key not in ("device", "out")
        }
        kwargs = fx.node.map_arg(keywords, lambda part: self._argument(part, neutral))
        function: Callable[..., Any] = node.target  # type: ignore[assignment]
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return function(*args, **kwargs)

    def _argument(self, part: fx.Node, neutral: float | None) -> Any:
        if self._steps[part].kind == TENSOR:
            if neutral is None:
                raise ValueError("a parameter in no neutral place")
            return neutral
        return self.of(part)

    @staticmethod
    def _neutral(name: str) -> float | None:
        """What a parameter counts as in this operation: it scales by 1, or shifts by 0."""
        if any(word in name for word in _PRODUCTS):
            return 1.0
        return 0.0 if any(word in name for word in _SUMS) else None


def _nearest(grid: torch.Tensor, values: torch.Tensor) -> tuple[str, dict[str, Any]] | None:
    if not bool(values.isfinite().all()):
        return None
    line = torch.linspace(float(values[0]), float(values[-1]), len(grid), dtype=torch.float64)
    if float((values - line).abs().max()) < _EXACT and float(values[-1] - values[0]) > _EXACT:
        return "linear", {}
    if float((values - grid.clamp(values[0], values[-1])).abs().max()) < _EXACT:
        return _clamped(values)
    found = []
    for name, args in _candidates(values):
        curve = _curve(name, tuple(args.items()))
        scale = float((values * curve).sum() / (curve * curve).sum())
        exact = scale > 0 and float((values - scale * curve).abs().max()) < _EXACT * max(1, scale)
        close = float((values - curve).abs().max())
        found.append((0.0 if exact else close, name, args))
    error, name, args = min(found, key=lambda entry: entry[0])
    return (name, args) if error < _CLOSE else None


def _clamped(values: torch.Tensor) -> tuple[str, dict[str, Any]] | None:
    """What a clamp is to a signal of a variance around one: it counts where the signal meets it.

    Bounds beyond the grid are not seen, and are no bounds that could be named.
    """
    low, high = round(float(values[0]), 6), round(float(values[-1]), 6)
    if low == 0 and high > _MET:
        return ("relu6" if high == 6 else "relu"), {}
    if -_MET <= low < high <= _MET:
        return "hardtanh", {"min_val": low, "max_val": high}
    return ("linear", {}) if low < -_MET and high > _MET else None


def _candidates(values: torch.Tensor) -> list[tuple[str, dict[str, Any]]]:
    """All activations, simplest first, with the arguments that the values at the ends suggest."""
    low = float(values[0])
    at_one, at_minus_one = float(values[900]), float(values[700])
    fitted: dict[str, Mapping[str, Any]] = {
        "leaky_relu": {"negative_slope": round(-at_minus_one / at_one, 6) if at_one else 0.0},
        "elu": {"alpha": round(-low, 3)},
    }
    found = []
    for activation in catalog.activations().values():
        args = dict(fitted.get(activation.name, {}))
        if activation.formula and hasattr(F, activation.name) and _is_sound(activation.name, args):
            found.append((activation.name, args))
    return sorted(found, key=lambda entry: bool(entry[1]))


def _is_sound(name: str, args: Mapping[str, Any]) -> bool:
    if name in ("prelu", "rrelu", "linear", "threshold"):
        return False
    if name == "leaky_relu":
        return bool(0 <= args["negative_slope"] < 1)
    return not (name == "elu" and args["alpha"] <= 0)


@cache
def _curve(name: str, args: tuple[tuple[str, Any], ...]) -> torch.Tensor:
    grid = torch.linspace(-_REACH, _REACH, 1601, dtype=torch.float64)
    values: torch.Tensor = getattr(F, name)(grid, **dict(args))
    return values
