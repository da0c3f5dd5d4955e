"""Weight norm: the weight g · v / |v| is filled by filling v, and g becomes the norm of v."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.weight_norm import WeightNorm

from initlint.fill.shards import plain_name
from initlint.fill.twins import is_sharded
from initlint.fill.undo import Copies
from initlint.recommend import recommended
from initlint.records import Layer
from initlint.tracing.walks import part_called

# Rounding that a norm may differ by.
_CLOSE = 1e-3
_STORED = re.compile(r"parametrizations\.(\w+)\.original1$|(\w+)_v$")


@dataclass(frozen=True, slots=True)
class Normed:
    """A weight under weight norm: `name` of `owner`, its direction v and size g, by their names.

    `dim` is the dimension that g has an entry for each place of; None if it is one number.
    """

    owner: nn.Module
    name: str
    direction: str
    size: str
    v: torch.Tensor
    g: torch.Tensor
    dim: int | None

    def norm(self) -> torch.Tensor:
        """What g is for the weight to be v."""
        return torch.norm_except_dim(self.v.detach(), 2, -1 if self.dim is None else self.dim)

    def is_plain(self) -> bool:
        """Whether the weight is v, as after construction; on the meta device it is."""
        return self.g.is_meta or torch.allclose(self.g.detach(), self.norm(), rtol=_CLOSE)


def effective_name(parameter: str) -> str:
    """The name of the weight that is computed from a parameter of weight norm; else its own."""
    return _STORED.sub(lambda found: found[1] or found[2], parameter)


def normed(model: nn.Module) -> Iterator[Normed]:
    """All weights of a model that weight norm computes, in both of torch's forms."""
    for prefix, module in model.named_modules():
        start = plain_name(f"{prefix}." if prefix else "")
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm):
                stem = f"{hook.name}_"
                v, g = getattr(module, f"{stem}v"), getattr(module, f"{stem}g")
                stem = start + stem
                yield Normed(module, hook.name, f"{stem}v", f"{stem}g", v, g, hook.dim)
        held = part_called(module, "parametrizations")
        found: dict[str, Any] = dict(held.items()) if isinstance(held, nn.ModuleDict) else {}
        for name, every in found.items():
            if len(every) == 1 and isinstance(every[0], _WeightNorm):
                stem = f"{start}parametrizations.{name}.original"
                v, g = every.original1, every.original0
                yield Normed(module, name, f"{stem}1", f"{stem}0", v, g, every[0].dim)


def with_normed(layers: Sequence[Layer], model: nn.Module) -> tuple[Layer, ...]:
    """The layers; one under weight norm is recommended what it would be without.

    Not of a sharded model, whose norms would have to be gathered, nor where g was set.
    """
    if is_sharded(model):
        return tuple(layers)
    plain = {one.direction for one in normed(model) if one.is_plain()}

    def found(layer: Layer) -> Layer:
        if layer.parameter not in plain or layer.recommended is not None:
            return layer
        bare = replace(layer, harmless="")
        return replace(layer, recommended=recommended(bare))

    return tuple(map(found, layers))


def renorm(model: nn.Module, filled: Collection[str], copies: Copies) -> None:
    """Set g to the norm of every v that was filled, so that the weight is v."""
    for one in normed(model):
        if one.direction in filled:
            copies.keep(one.g.data)
            with torch.no_grad():
                one.g.data.copy_(one.norm())
