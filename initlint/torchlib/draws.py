"""Draw: the distribution, mean and std in a tensor, and how writes change them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from initlint.records import Initializer, Site


@dataclass(slots=True)
class Draw:
    """The known content of a tensor; without `std` it is unknown, without `name` not written.

    Nothing changes a draw, because many tensors may share one. It is not frozen, because a frozen
    dataclass takes four times as long to make.

    `offset` is a number that was added to all values of a draw whose mean is not computed yet.
    `spelled`, `part`, `by` and `through` are those of `records.Draw`; `by` is empty where `default`
    and `name` tell it. `perhaps` is the draw that an undecided condition may have made. `before` is
    the draw that this one has overwritten, and `count` the length of the history up to this one.
    `visited` and `nested` are those of `records.Draw`, set once the entry is in a history.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    mean: float | None = None
    std: float | None = None
    default: bool = False
    site: Site | None = None
    offset: float = 0.0
    spelled: str = ""
    part: bool = False
    by: str = ""
    through: str = ""
    perhaps: Draw | None = field(default=None, compare=False)
    before: Draw | None = field(default=None, compare=False, repr=False)
    count: int = field(default=1, compare=False)
    visited: int = field(default=0, compare=False)
    nested: bool = field(default=False, compare=False)

    def at(self, site: Site | None, through: str | None = None, spelled: str | None = None) -> Draw:
        """The same draw, made at another line; in another function, by another name, if given."""
        values = (self.name, self.args, self.mean, self.std, self.default, site, self.offset)
        within = self.through if through is None else through
        told = (self.spelled if spelled is None else spelled, self.part, self.by, within)
        return Draw(*values, *told, self.perhaps, self.before, self.count)

    def next_to(self, before: Draw | None, count: int, through: str) -> Draw:
        """The same draw as entry number `count` of a history, made in the function `through`."""
        values = (self.name, self.args, self.mean, self.std, self.default, self.site, self.offset)
        told = (self.spelled, self.part, self.by, through)
        return Draw(*values, *told, self.perhaps, before, count)

    def initializer(self) -> Initializer | None:
        """The record of this draw; None for storage that nothing has written."""
        if not self.name:
            return None
        mean = self.mean or 0.0
        return Initializer(self.name, self.args, self.std, self.default, self.site, mean=mean)


UNWRITTEN = Draw("")
UNCLEAR = Draw("unknown")
# Every argument of torch.nn.init's functions after the tensor, with its default.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "kaiming_normal_": {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"},
    "kaiming_uniform_": {"a": 0, "mode": "fan_in", "nonlinearity": "leaky_relu"},
    "xavier_normal_": {"gain": 1.0},
    "xavier_uniform_": {"gain": 1.0},
    "normal_": {"mean": 0.0, "std": 1.0},
    "uniform_": {"a": 0.0, "b": 1.0},
    "trunc_normal_": {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0},
    "constant_": {"val": None},
    "zeros_": {},
    "ones_": {},
    "orthogonal_": {"gain": 1},
    "sparse_": {"sparsity": None, "std": 0.01},
    "eye_": {},
    "dirac_": {"groups": 1},
}
# In-place methods of tensors.
METHODS = {"normal_": "normal_", "uniform_": "uniform_", "fill_": "constant_", "zero_": "zeros_"}
# The functions of torch.nn.init that have an old name without the underscore: these names.
DEPRECATED = {
    *("constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal"),
    *("sparse", "uniform", "xavier_normal", "xavier_uniform"),
}


def drawn_by(name: str, args: Mapping[str, Any], shape: tuple[int, ...] | None) -> Draw:
    """The draw that `torch.nn.init.<name>(tensor, **args)` leaves in a tensor of `shape`.

    A name, an argument or a shape that is not known gives a draw without std.
    """
    rule = _MOMENTS.get(name)
    if rule is None:
        return UNCLEAR
    try:
        mean, std = rule(args, shape or ())
    except (ValueError, ZeroDivisionError, TypeError, KeyError, IndexError, OverflowError):
        return Draw(name, args)
    return Draw(name, args, mean, std)


def calculate_gain(nonlinearity: object, param: object = None) -> float:
    """torch.nn.init.calculate_gain; raises ValueError for a name without a gain."""
    if nonlinearity == "leaky_relu":
        slope = param if isinstance(param, (int, float)) and param is not True else 0.01
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity in _GAINS:
        return _GAINS[str(nonlinearity)]
    raise ValueError(f"no gain for {nonlinearity}")


_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def scaled(draw: Draw, factor: float, site: Site | None) -> Draw:
    """The draw after multiplication with a number: from then on an explicit scale.

    Of sizes that are not known, a scheme with a gain has another gain.
    """
    if draw.std is None or draw.mean is None:
        if draw.name in _WITH_GAIN and not draw.offset:
            args = {**draw.args, "gain": draw.args["gain"] * factor}
            return Draw(draw.name, args, None, None, False, site)
        is_same = factor == 1 and draw.name not in (UNCLEAR.name, UNWRITTEN.name)
        return replace(draw, site=site, default=False) if is_same else replace(UNCLEAR, site=site)
    mean, std = draw.mean * factor, draw.std * abs(factor)
    if draw.name in ("uniform_", "xavier_normal_", "xavier_uniform_", "orthogonal_", "constant_"):
        args = {k: v * factor for k, v in draw.args.items()}
        return Draw(draw.name, args, mean, std, False, site)
    return Draw("normal_", {"mean": mean, "std": std}, mean, std, False, site)


# Initialisers whose std is proportional to their gain.
_WITH_GAIN = ("xavier_normal_", "xavier_uniform_", "orthogonal_")


def shifted(draw: Draw, offset: float, site: Site | None) -> Draw:
    """The draw after a number was added at `site`; it is no longer a default."""
    if draw.name in (UNCLEAR.name, UNWRITTEN.name):
        return replace(UNCLEAR, site=site)
    if draw.std is None or draw.mean is None:
        return replace(draw, offset=draw.offset + offset, default=False, site=site)
    return replace(draw, mean=draw.mean + offset, default=False, site=site)


def inverse_error_function(draw: Draw, site: Site | None) -> Draw:
    """The draw after `erfinv_`: a uniform one becomes a truncated normal one of std sigma/sqrt(2).

    This is the step by which timm's and older torch's `trunc_normal_` are written out.
    """
    if draw.name != "uniform_" or draw.std is None:
        return replace(UNCLEAR, site=site)
    # Ends that float32 cannot tell from 1 are infinite until a clamp, which is not followed.
    if max(abs(draw.args["a"]), abs(draw.args["b"])) > 1 - 1e-7:
        return Draw("trunc_normal_", {}, None, None, False, site)
    low, high = (_normal_quantile((1 + draw.args[end]) / 2) for end in ("a", "b"))
    _, std = _truncated_moments(low, high)
    return Draw("trunc_normal_", {}, 0.0, std / math.sqrt(2), False, site)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _kaiming(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    gain = calculate_gain(args["nonlinearity"], args["a"])
    if args["mode"] not in ("fan_in", "fan_out"):
        raise ValueError(args["mode"])
    return 0.0, gain / math.sqrt(_fans(shape)[0 if args["mode"] == "fan_in" else 1])


def _xavier(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return 0.0, args["gain"] * math.sqrt(2 / sum(_fans(shape)))


def _uniform(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return (args["a"] + args["b"]) / 2, (args["b"] - args["a"]) / math.sqrt(12)


def _truncated(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    mean, std = args["mean"], args["std"]
    low, high = (args["a"] - mean) / std, (args["b"] - mean) / std
    centre, spread = _truncated_moments(low, high)
    return mean + std * centre, std * spread


def _truncated_moments(low: float, high: float) -> tuple[float, float]:
    """Mean and std of a standard normal variable cut off at `low` and `high`."""
    from statistics import NormalDist

    normal = NormalDist()
    mass = normal.cdf(high) - normal.cdf(low)
    mean = (normal.pdf(low) - normal.pdf(high)) / mass
    edges = low * normal.pdf(low) - high * normal.pdf(high)
    return mean, math.sqrt(max(0.0, 1 + edges / mass - mean**2))


def _normal_quantile(probability: float) -> float:
    """Where the standard normal distribution has this share of its mass below; finite always."""
    from statistics import NormalDist

    bounded = min(max(probability, 1e-12), 1 - 1e-12)
    return NormalDist().inv_cdf(bounded)


def _orthogonal(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    return 0.0, args["gain"] / math.sqrt(max(shape[0], math.prod(shape[1:])))


def _sparse(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    zeros = math.ceil(args["sparsity"] * shape[0]) / shape[0]
    return 0.0, args["std"] * math.sqrt(1 - zeros)


def _ones_among_zeros(ones: int, shape: tuple[int, ...]) -> tuple[float, float]:
    mean = ones / math.prod(shape)
    return mean, math.sqrt(mean * (1 - mean))


def _dirac(args: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float]:
    groups = args["groups"]
    return _ones_among_zeros(groups * min(shape[0] // groups, shape[1]), shape)


_Moments = Callable[[Mapping[str, Any], tuple[int, ...]], tuple[float, float]]
_MOMENTS: dict[str, _Moments] = {
    "kaiming_normal_": _kaiming,
    "kaiming_uniform_": _kaiming,
    "xavier_normal_": _xavier,
    "xavier_uniform_": _xavier,
    "normal_": lambda args, shape: (float(args["mean"]), float(args["std"])),
    "uniform_": _uniform,
    "trunc_normal_": _truncated,
    "constant_": lambda args, shape: (float(args["val"]), 0.0),
    "zeros_": lambda args, shape: (0.0, 0.0),
    "ones_": lambda args, shape: (1.0, 0.0),
    "orthogonal_": _orthogonal,
    "sparse_": _sparse,
    "eye_": lambda args, shape: _ones_among_zeros(min(shape), shape),
    "dirac_": _dirac,
}
INITIALIZERS = frozenset(_MOMENTS)
