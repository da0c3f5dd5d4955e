"""Frozen copies of filled parameters (a target network, a momentum encoder): they follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from initlint.fill.apply import Choice, is_wanted, names_of
from initlint.fill.given import Wanted
from initlint.fill.memory import is_array, is_wrapper, plain, read_only, shares_itself
from initlint.fill.shards import tensors_of
from initlint.fill.twins import is_sharded
from initlint.fill.undo import Copies


def with_followers(model: nn.Module, choice: Choice, wanted: Wanted) -> Choice:
    """The choice, with the frozen parameters and buffers that equal a chosen parameter.

    Whoever made them so wants both to begin alike. Constants are equal by chance; sharded models
    are not looked at.
    """
    if not choice.sources or is_sharded(model):
        return choice
    tensors, names = tensors_of(model), names_of(model)
    found: dict[str, str] = {}
    for name, tensor in tensors.items():
        is_asked = is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
        if tensor.requires_grad or not is_asked or not _is_writable(tensor):
            continue
        source = _equal(tensor, {one: tensors[one] for one in choice.sources})
        found |= {name: source} if source else {}
    fixed = read_only({name: tensors[name] for name in found})
    return replace(choice, followers={n: s for n, s in found.items() if n not in fixed})


def follow(model: nn.Module, followers: Mapping[str, str], copies: Copies) -> None:
    """Write into each follower what its parameter holds now."""
    tensors = tensors_of(model)
    with torch.no_grad():
        for name, source in followers.items():
            target = plain(tensors[name].data)
            copies.keep(target)
            target.copy_(tensors[source].data)


def _is_writable(tensor: torch.Tensor) -> bool:
    if not is_array(tensor) or is_wrapper(tensor.data) or not tensor.is_floating_point():
        return False
    return not (tensor.is_meta or tensor.is_inference() or shares_itself(tensor))


def _equal(tensor: torch.Tensor, others: Mapping[str, torch.Tensor]) -> str:
    """The first of the others that holds just the same; empty if none does, or it is constant."""
    same = {
        name: other
        for name, other in others.items()
        if (other.shape, other.dtype, other.device) == (tensor.shape, tensor.dtype, tensor.device)
    }
    if not same or tensor.numel() < 2 or bool(tensor.min() == tensor.max()):
        return ""
    return next((name for name, other in same.items() if torch.equal(tensor, other)), "")
