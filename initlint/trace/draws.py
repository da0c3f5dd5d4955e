"""What a tensor was last filled with: distribution, mean and std, as writes happen to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from initlint.records import Initializer, Site


@dataclass(frozen=True, slots=True)
class Draw:
    """What is known of a tensor's content: no `std` means unknown, an empty `name` unwritten."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    mean: float | None = None
    std: float | None = None
    default: bool = False
    site: Site | None = None

    def initializer(self) -> Initializer | None:
        """The record of this draw; None for storage that nothing has written."""
        if not self.name:
            return None
        return Initializer(self.name, self.args, self.std, self.default, self.site)


UNWRITTEN = Draw("")
UNKNOWN = Draw("unknown")


def drawn_by(name: str, args: Mapping[str, Any], shape: tuple[int, ...]) -> Draw:
    """The draw that `torch.nn.init.<name>(tensor, **args)` leaves in a tensor of `shape`.

    Args hold every argument of the initialiser. A name that is not known, or a shape that the
    initialiser refuses, gives a draw without std.
    """
    rule = _MOMENTS.get(name)
    if rule is None:
        return replace(UNKNOWN, args=dict(args))
    try:
        mean, std = rule(args, shape)
    except (ValueError, ZeroDivisionError, TypeError, KeyError, IndexError):
        return Draw(name, dict(args))
    return Draw(name, dict(args), mean, std)


def scaled(draw: Draw, factor: float, site: Site | None) -> Draw:
    """The draw after multiplication with a number at `site`: from then on an explicit scale."""
    if draw.std is None or draw.mean is None:
        return replace(UNKNOWN, site=site)
    mean, std = draw.mean * factor, draw.std * abs(factor)
    if draw.name in ("uniform_", "xavier_normal_", "xavier_uniform_", "orthogonal_", "constant_"):
        return Draw(
            draw.name, {k: v * factor for k, v in draw.args.items()}, mean, std, False, site
        )
    return Draw("normal_", {"mean": mean, "std": std}, mean, std, False, site)


def shifted(draw: Draw, offset: float, site: Site | None) -> Draw:
    """The draw after a number was added at `site`."""
    if draw.std is None or draw.mean is None:
        return replace(UNKNOWN, site=site)
    return replace(draw, mean=draw.mean + offset, site=site)


def inverse_error_function(draw: Draw, site: Site | None) -> Draw:
    """The draw after `erfinv_`: a uniform one becomes a truncated normal one of std sigma/sqrt(2).

    This is the step by which timm's and older torch's `trunc_normal_` are written out.
    """
    if draw.name != "uniform_" or draw.std is None:
        return replace(UNKNOWN, site=site)
    low, high = (_normal_quantile((1 + draw.args[end]) / 2) for end in ("a", "b"))
    _, std = _truncated_moments(low, high)
    return Draw("trunc_normal_", {}, 0.0, std / math.sqrt(2), False, site)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """fan_in and fan_out as torch.nn.init counts them, transposed and grouped layers included."""
    field_size = math.prod(shape[2:])
    return shape[1] * field_size, shape[0] * field_size


def _kaiming(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    gain = nn.init.calculate_gain(args["nonlinearity"], args["a"])
    fan = _fans(shape)[0 if args["mode"] == "fan_in" else 1]
    return 0.0, gain / math.sqrt(fan)


def _xavier(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return 0.0, args["gain"] * math.sqrt(2 / sum(_fans(shape)))


def _uniform(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return (args["a"] + args["b"]) / 2, (args["b"] - args["a"]) / math.sqrt(12)


def _truncated(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    mean, std = args["mean"], args["std"]
    centre, spread = _truncated_moments((args["a"] - mean) / std, (args["b"] - mean) / std)
    return mean + std * centre, std * spread


def _orthogonal(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    rows, columns = shape[0], math.prod(shape[1:])
    return 0.0, args["gain"] / math.sqrt(max(rows, columns))


def _sparse(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    zeros = math.ceil(args["sparsity"] * shape[0]) / shape[0]
    return 0.0, args["std"] * math.sqrt(1 - zeros)


def _ones_among_zeros(ones: int, shape: tuple[int, ...]) -> tuple[float, float]:
    mean = ones / math.prod(shape)
    return mean, math.sqrt(mean * (1 - mean))


def _eye(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return _ones_among_zeros(min(shape), shape)


def _dirac(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    groups = args.get("groups", 1)
    return _ones_among_zeros(groups * min(shape[0] // groups, shape[1]), shape)


def _truncated_moments(low: float, high: float) -> tuple[float, float]:
    """Mean and std of a standard normal variable cut off at `low` and `high`."""
    mass = _normal_cdf(high) - _normal_cdf(low)
    mean = (_normal_pdf(low) - _normal_pdf(high)) / mass
    edges = low * _normal_pdf(low) - high * _normal_pdf(high)
    return mean, math.sqrt(max(0.0, 1 + edges / mass - mean**2))


def _normal_pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _normal_cdf(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _normal_quantile(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * bounded - 1, device="cpu")))


_Moments = Callable[[Mapping[str, Any], tuple[int, ...]], tuple[float, float]]
_MOMENTS: dict[str, _Moments] = {
    "kaiming_normal_": _kaiming,
    "kaiming_uniform_": _kaiming,
    "xavier_normal_": _xavier,
    "xavier_uniform_": _xavier,
    "normal_": lambda args, shape: (args["mean"], args["std"]),
    "uniform_": _uniform,
    "trunc_normal_": _truncated,
    "constant_": lambda args, shape: (float(args["val"]), 0.0),
    "zeros_": lambda args, shape: (0.0, 0.0),
    "ones_": lambda args, shape: (1.0, 0.0),
    "orthogonal_": _orthogonal,
    "sparse_": _sparse,
    "eye_": _eye,
    "dirac_": _dirac,
}
INITIALIZERS = frozenset(_MOMENTS)
