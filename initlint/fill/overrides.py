"""overrides={"pattern": initialiser}: another initialiser for parameters that the user names."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from torch import nn

from initlint.fill.apply import Choice, matches
from initlint.fill.blocks import Source
from initlint.fill.replay import distribution_of
from initlint.fill.scope import Scope
from initlint.fill.shards import bare_name, parts_of, tensors_of
from initlint.fill.spared import spared
from initlint.records import Initializer, InitlintError, Unanalysed
from initlint.torchlib.draws import ARGUMENTS, drawn_by

# Patterns, each with the name of a function of torch.nn.init and its arguments; None for keep.
Overrides = Sequence[tuple[str, tuple[str, Mapping[str, Any]] | None]]
KEPT = "overrides says keep"


def overrides_of(given: object) -> Overrides:
    """The overrides, checked.

    An initialiser is a function of torch.nn.init (also as a functools.partial, or by name), a pair
    of its name and a dict of arguments, a number (the std of a normal draw), or "keep".
    """
    if given is None:
        return ()
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise InitlintError(f"overrides={given!r:.60}: write a dict of patterns and initialisers")
    return tuple((pattern, _scheme(pattern, value)) for pattern, value in given.items())


def _scheme(pattern: str, value: object) -> tuple[str, Mapping[str, Any]] | None:
    if value == "keep":
        return None
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf:
        return "normal_", {"std": float(value)}
    args: Mapping[str, Any] = {}
    function: Any = value
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Mapping):
        function, args = value
    elif isinstance(value, functools.partial) and not value.args:
        function, args = value.func, value.keywords
    name = function if isinstance(function, str) else str(getattr(function, "__name__", ""))
    name = name if name.endswith("_") else f"{name}_"
    if name not in ARGUMENTS or not set(args) <= set(ARGUMENTS[name]):
        raise InitlintError(
            f"overrides {pattern}: {value!r:.60} is no initialiser; write a function of "
            "torch.nn.init, a pair of its name and its arguments, a std, or keep"
        )
    return name, args


def overridden(
    model: nn.Module,
    choice: Choice,
    names: Mapping[str, Sequence[str]],
    overrides: Overrides,
    seed: int,
    scope: Scope,
) -> Choice:
    """The choice, in which parameters that `overrides` name are drawn by their own initialiser.

    A pattern may name a parameter, or a module, whose weights then get it and whose biases become
    zero where they hold PyTorch's default. The last pattern that fits counts.
    """
    if not overrides:
        return choice
    sources, given = dict(choice.sources), dict[str, Initializer]()
    kept: dict[str, Unanalysed] = {}
    parts = parts_of(model)
    for name, tensor in tensors_of(model).items():
        pattern, scheme = _last(names.get(name, [name]), tensor.dim(), overrides, scope)
        if not pattern:
            continue
        reason = spared(name, tensor, parts.get(name))
        sources.pop(name, None)
        given.pop(name, None)
        if scheme is None:
            kept[name] = Unanalysed(name, KEPT)
            continue
        if reason:
            raise InitlintError(f"overrides {pattern}: {name} cannot be filled: {reason}")
        given[name] = _drawn(pattern, name, scheme, parts[name].shape)
        sources[name] = _source(pattern, given[name], name, seed)
    layers = tuple(x for x in choice.layers if x.parameter in sources and x.parameter not in given)
    biases = tuple(name for name in choice.biases if name in sources and name not in given)
    skipped = [gap for gap in choice.skipped if gap.target not in given and gap.target not in kept]
    return Choice(layers, biases, sources, (*skipped, *kept.values()), choice.fine, given)


def _last(
    names: Sequence[str], dimensions: int, overrides: Overrides, scope: Scope
) -> tuple[str, tuple[str, Mapping[str, Any]] | None]:
    """The last pattern that fits a parameter, and its initialiser; an empty pattern if none."""
    for pattern, scheme in reversed(overrides):
        if not any(matches(name, [pattern]) for name in names):
            continue
        direct = any(matches(name, [pattern], modules=False) for name in names)
        if direct or scheme is None or dimensions > 1:
            return pattern, scheme
        if "bias" in names[0].rpartition(".")[2] and not scope.keeps_bias(names[0]):
            return pattern, ("zeros_", {})
    return "", None


def _drawn(
    pattern: str, name: str, scheme: tuple[str, Mapping[str, Any]], shape: tuple[int, ...]
) -> Initializer:
    draw = drawn_by(scheme[0], {**ARGUMENTS[scheme[0]], **scheme[1]}, shape)
    std, mean = draw.std, draw.mean
    if std is None or mean is None or not (0 <= std < math.inf and math.isfinite(mean)):
        raise InitlintError(
            f"overrides {pattern}: {scheme[0]} cannot fill {name} of shape {tuple(shape)}"
        )
    return Initializer(draw.name, draw.args, std, mean=mean, reason="overrides")


def _source(pattern: str, found: Initializer, name: str, seed: int) -> Source:
    distribution = "orthogonal" if found.name == "orthogonal_" else distribution_of(found)
    if not distribution:
        raise InitlintError(
            f"overrides {pattern}: {found.name} with these arguments cannot be drawn in blocks; "
            "say keep, and call it yourself"
        )
    return Source(seed, bare_name(name), distribution, found.std or 0.0, found.mean)
