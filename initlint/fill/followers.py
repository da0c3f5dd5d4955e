"""Frozen copies of filled parameters (a target network, a momentum encoder): they follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlint.fill.apply import Choice, is_wanted, names_of
from initlint.fill.given import Wanted
from initlint.fill.journal import Journal, Ref
from initlint.fill.memory import is_array, is_wrapper, plain, read_only, shares_itself
from initlint.fill.shards import parts_of, tensors_of
from initlint.fill.skeleton import Skeleton
from initlint.fill.together import Together
from initlint.fill.twins import is_sharded
from initlint.fill.undo import Copies
from initlint.tracing.walks import part_called

# Calls that give one tensor the values of another.
_COPYING = ("clone", "copy_", "__deepcopy__")


def with_followers(model: nn.Module, choice: Choice, wanted: Wanted, ranks: Together) -> Choice:
    """The choice, with the frozen parameters and buffers that equal a chosen parameter.

    Whoever made them so wants both to begin alike. Constants are equal by chance, unless other
    parameters of their layers are copies, too. Of a sharded model, a copy is one that is cut in
    the same way and equal on all ranks.
    """
    if not choice.sources:
        return choice
    tensors, names = tensors_of(model), names_of(model)
    here, places = _here(model, tensors)
    originals = set(_originals(model))
    frozen = {
        name: tensor
        for name, tensor in tensors.items()
        if not tensor.requires_grad
        and name not in originals
        and is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
        and name in here
        and _is_writable(here[name])
    }
    chosen = {name: here[name] for name in choice.sources if name in here}
    same = {
        name: {one for one in _equal(here[name], chosen) if places.get(one) == places.get(name)}
        for name in frozen
    }
    ends = {n: torch.aminmax(here[n]) for n, found in same.items() if found and here[n].numel()}
    lows = {name: (low.item(), high.item()) for name, (low, high) in ends.items()}
    if is_sharded(model):
        every = ranks.everyones("look for copies", (same, lows))
        same = {name: set.intersection(*(one[name] for one, _ in every)) for name in frozen}
        lows = {name: _joined([own[name] for _, own in every if name in own]) for name in frozen}
    copies = {name: [one for one in chosen if one in same[name]] for name in frozen}
    varied = {name for name, (low, high) in lows.items() if low != high}
    found = {name: copies[name][0] for name in frozen if copies[name] and name in varied}
    layers = {_layer(name): _layer(source) for name, source in found.items()}
    for name in frozen:
        own = [one for one in copies[name] if _layer(one) == layers.get(_layer(name))]
        found |= {name: own[0]} if own and name not in found else {}
    fixed = read_only({name: here[name] for name in found})
    followers = {n: s for n, s in found.items() if n not in fixed}
    return replace(choice, followers={**choice.followers, **followers})


def with_copied(skeleton: Skeleton, choice: Choice, wanted: Wanted) -> Choice:
    """The choice, with the frozen tensors that construction has left equal to a chosen parameter.

    Copies of chosen parameters follow by themselves; here are those that these are copies of (a
    deep copy trains, its original is frozen), and other copies of the same tensor.
    """
    model, journal = skeleton.model, skeleton.journal
    if not choice.sources or is_sharded(model):
        return choice
    tensors, names = tensors_of(model), names_of(model)
    refs = {n: journal.ref(t) for n, t in tensors.items() if is_array(t) and t.is_meta}
    sources = {_origin(journal, refs[n]): n for n in choice.sources if n in refs}
    originals = set(_originals(model))
    found = {
        name: source
        for name, ref in refs.items()
        if not tensors[name].requires_grad
        and name not in originals
        and (source := sources.get(_origin(journal, ref)))
        and is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
    }
    return replace(choice, followers=found)


def _origin(journal: Journal, ref: Ref) -> int:
    """The storage that a tensor is a whole copy of, also a copy's copy; else its own."""
    while (source := _copied_from(journal, ref)) is not None:
        ref = source
    return ref.storage


def _copied_from(journal: Journal, ref: Ref) -> Ref | None:
    last = journal.last_of(ref.storage)
    if last is None or getattr(last.function, "__name__", "") not in _COPYING:
        return None
    given = [value for value in (*last.args, *last.keywords.values()) if isinstance(value, Ref)]
    others = [value for value in given if value.storage != ref.storage]
    if len(others) != 1 or any((x.size, x.dtype) != (ref.size, ref.dtype) for x in given):
        return None
    is_whole = journal.covers(ref) and journal.covers(others[0])
    is_last = journal.before_last(last, others[0].storage) == 0
    return others[0] if is_whole and is_last else None


def _originals(model: nn.Module) -> Iterator[str]:
    """The parameters of layers of which peft trains a whole copy, and to which one can go back."""
    for prefix, module in model.named_modules():
        original = part_called(module, "original_module")
        if isinstance(original, nn.Module) and hasattr(module, "modules_to_save"):
            yield from (name for name, _ in original.named_parameters(f"{prefix}.original_module"))


def follow(model: nn.Module, followers: Mapping[str, str], copies: Copies) -> None:
    """Write into each follower what its parameter holds now."""
    here, _ = _here(model, tensors_of(model))
    with torch.no_grad():
        for name, source in followers.items():
            target = plain(here[name].data)
            copies.keep(target)
            target.copy_(here[source].data)


def _here(
    model: nn.Module, tensors: Mapping[str, torch.Tensor]
) -> tuple[Mapping[str, torch.Tensor], Mapping[str, Any]]:
    """What is here of every tensor, and where in the whole one that lies, if not all of it is.

    FSDP1 cuts a parameter and its copy at different places, so its parts are left out.
    """
    if not is_sharded(model):
        return tensors, {}
    parts = {name: part for name, part in parts_of(model).items() if part.first is None}
    places = {name: (part.shape, part.offsets, part.first) for name, part in parts.items()}
    return {name: part.local for name, part in parts.items()}, places


def _joined(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The least and the largest of all; the same twice where there are none."""
    return min((x for x, _ in ends), default=0.0), max((x for _, x in ends), default=0.0)


def _is_writable(tensor: torch.Tensor) -> bool:
    if not is_array(tensor) or is_wrapper(tensor.data) or not tensor.is_floating_point():
        return False
    return not (tensor.is_meta or tensor.is_inference() or shares_itself(tensor))


def _equal(tensor: torch.Tensor, others: Mapping[str, torch.Tensor]) -> Iterator[str]:
    """Those of the others that hold just the same."""
    for name, other in others.items():
        alike = (other.shape, other.dtype, other.device)
        if alike != (tensor.shape, tensor.dtype, tensor.device):
            continue
        # Most differ in their first row already.
        if torch.equal(_row(tensor), _row(other)) and torch.equal(tensor, other):
            yield name


def _row(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[(0,) * (tensor.dim() - 1)] if tensor.numel() and tensor.dim() else tensor


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
