"""How a finding is put into words: the layer, what follows, what fills it, and what that does."""

from __future__ import annotations

import math
import sys

from initlint.judge.model import Path
from initlint.recommend import has_mean, ratio, times
from initlint.records import Initializer, Layer


def consequence(layer: Layer, path: Path) -> str:
    """One sentence on an unsuited std: what fills it, and what that does."""
    current, value = layer.current, ratio(layer)
    if current is None or current.std is None or value is None or layer.recommended is None:
        return ""
    # Symbolic sizes have no numbers to show.
    size = "" if layer.nominal else " " + "×".join(map(str, layer.shape))
    std = "" if layer.nominal else f"std {current.std:.3g}, "
    if has_mean(current):
        std = "a mean that is not zero, " if layer.nominal else f"mean {current.mean:.3g} and {std}"
    reach = f", {times(_exponential(path.log_product))} over the {path.count} layers to {path.end}"
    name = layer.layer or layer.parameter
    return (
        f"{name} ({layer.type}{size}) is followed by {_following(layer)}, "
        f"but {origin(current)} gives it {std}{times(value)} the std it needs"
        f"{reach if path.count > 1 else ''}"
    )


def origin(current: Initializer) -> str:
    """The source of a weight's values: PyTorch's default, or the user's call and its line."""
    args = current.args
    if current.default and current.name.startswith("kaiming"):
        args = {name: value for name, value in args.items() if name == "a"}
    shown = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    call = f"{current.name}({shown})" if shown else current.name
    if current.default:
        return f"PyTorch's default {call}"
    if current.name == "measured":
        return "measurement"
    return f"{call} at {current.site.path}:{current.site.line}" if current.site else call


def _exponential(value: float) -> float:
    """e to the power of `value`; infinity if that is too large for a float."""
    return math.exp(value) if value < math.log(sys.float_info.max) else math.inf


def _following(layer: Layer) -> str:
    args = {k: v for k, v in layer.following.args.items() if isinstance(v, (int, float))}
    shown = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    via = [word for word in layer.following.via if word in ("pool", "residual")]
    name = layer.following.activation + (f"({shown})" if shown else "")
    return name + (f" (via {', '.join(via)})" if via else "")


def _short(value: object) -> str:
    if isinstance(value, float):
        return "√5" if math.isclose(value, math.sqrt(5)) else f"{value:.4g}"
    return f"{value}"
