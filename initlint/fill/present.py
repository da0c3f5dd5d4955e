"""What each parameter and buffer of a model holds now, and whether somebody meant it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from initlint.fill.facts import Facts, facts_of
from initlint.fill.journal import Journal
from initlint.fill.memory import is_array, is_wrapper, shares_itself
from initlint.fill.normed import normed
from initlint.fill.replay import Replay
from initlint.fill.shards import (
    Part,
    flat_parts,
    is_fsdp1,
    part_of,
    parts_of,
    plain_name,
    tensors_of,
)
from initlint.fill.together import Together
from initlint.records import Initializer
from initlint.torchlib.draws import Draw


@dataclass(frozen=True, slots=True)
class Present:
    """The values of one parameter or buffer.

    `kind` is

    - default: PyTorch's default draw for its layer;
    - set: any other draw, or values that are no draw;
    - zeros, constant, structured: values that hardly anybody draws by mistake (an identity, a
      fixed filter);
    - unwritten: memory that nothing wrote;
    - unknown: no array of real numbers, or one whose numbers were not looked at.

    `is_drawn` says that they are numbers of a generator as it gave them.
    """

    kind: str
    held: Initializer
    is_drawn: bool = False

    @property
    def is_meant(self) -> bool:
        """Whether the values are surely on purpose, whatever scale the layer needs."""
        return self.kind in ("zeros", "constant", "structured")

    @property
    def words(self) -> str:
        """The values in a few words: PyTorch's default, zeros, std 0.02."""
        std = self.held.std
        if self.kind == "set" and std is not None:
            return f"std {std:.3g}"
        return {
            "default": "PyTorch's default" + (f", std {std:.3g}" if std is not None else ""),
            "zeros": "zeros",
            "constant": f"the constant {self.held.mean:.4g}",
            "structured": "values with a structure",
            "unwritten": "memory that nothing wrote",
        }.get(self.kind, "values that were not looked at")


_UNKNOWN = Present("unknown", Initializer("unknown"))
_UNWRITTEN = Present("unwritten", Initializer("unknown"))


def present_in(
    model: nn.Module,
    journal: Journal | None = None,
    whole: nn.Module | None = None,
    ranks: Together | None = None,
) -> Mapping[str, Present]:
    """What every parameter and buffer holds, by its first name.

    Parameters on the meta device hold what the `journal` says of them, or nothing. Shards are
    judged together, so every process that owns a part of a sharded parameter must ask. PyTorch's
    default is that of the layers of `whole`, if given: a stage may have none of torch's classes.
    """
    presence = _Presence(model, journal, model if whole is None else whole)
    present = presence.all(ranks or Together())
    return with_few_draws(present) if has_learned(model, present) else present


def has_learned(model: nn.Module, present: Mapping[str, Present]) -> bool:
    """Whether biases, gains or running means hold what initialisers hardly give: training does.

    A few steps change them all, and leave large matrices that still look drawn.
    """
    buffers = {plain_name(name) for name, _ in model.named_buffers()}
    return any(
        present[name].kind == "set" and len(part.shape) < 2
        for name, part in parts_of(model).items()
        if name in present and (name not in buffers or name.endswith("running_mean"))
    )


def with_few_draws(present: Mapping[str, Present]) -> Mapping[str, Present]:
    """The same, where only PyTorch's default is taken for a draw: the model has learned."""
    return {name: replace(one, is_drawn=one.kind == "default") for name, one in present.items()}


def with_unwritten(present: Mapping[str, Present], names: Collection[str]) -> Mapping[str, Present]:
    """The same, where nothing wrote the tensors of these names, whatever their memory holds."""
    return {name: _UNWRITTEN if name in names else one for name, one in present.items()}


class _Presence:
    def __init__(self, model: nn.Module, journal: Journal | None, whole: nn.Module) -> None:
        self._tensors = tensors_of(model)
        self._bounds = default_bounds(whole)
        self._flat = dict(flat_parts(model))
        self._buffers = {plain_name(name) for name, _ in model.named_buffers()}
        self._journal = journal

    def all(self, ranks: Together) -> Mapping[str, Present]:
        parts = {n: self._part(t) for n, t in self._tensors.items() if _is_readable(t)}
        facts = {
            name: facts_of(part.local, self._bounds.get(name), _first(part), tuple(part.shape))
            for name, part in parts.items()
        }
        facts = _of_all_ranks(facts, self._tensors, parts, ranks)
        if self._is_fresh(facts):
            found = {name: self._left(name, one) for name, one in facts.items()}
        else:
            found = {name: self._seen(name, one) for name, one in facts.items()}
        return {
            name: found.get(name) or self._written(name, t) for name, t in self._tensors.items()
        }

    def _part(self, tensor: torch.Tensor) -> Part:
        return self._flat[id(tensor)] if id(tensor) in self._flat else part_of(tensor)

    def _is_fresh(self, facts: Mapping[str, Facts]) -> bool:
        """Whether a model has just been given memory (`to_empty`): none of its weights was drawn.

        Such memory holds zeros, or NaN, or leftovers. A journal knows which tensors nothing wrote,
        and only a few of its model's tensors are in memory.
        """
        if self._journal is not None:
            return False
        weights = [
            one
            for name, one in facts.items()
            if name not in self._buffers and self._tensors[name].dim() > 1
        ]
        bare = [one for one in weights if one.count]
        drawn = any(one.is_plausible and one.largest for one in bare)
        return len(bare) > 1 and not drawn

    def _left(self, name: str, facts: Facts) -> Present:
        """What a tensor holds in a model whose weights are all memory that nothing wrote.

        torch counts writes in place, as those of `nn.init.ones_(norm.weight)` after `to_empty`.
        """
        is_written = name in self._buffers or self._tensors[name]._version > 0
        return self._seen(name, facts) if is_written and not facts.broken else _UNWRITTEN

    def _seen(self, name: str, facts: Facts) -> Present:
        """What is known of a tensor from its values."""
        is_buffer = name in self._buffers
        bare = self._journal is not None and self._journal.is_bare(self._tensors[name])
        if bare or facts.broken or not (is_buffer or facts.is_plausible):
            return _UNWRITTEN
        bound = self._bounds.get(name)
        if bound and facts.is_uniform(bound):
            held = Initializer("kaiming_uniform_", {"a": math.sqrt(5)}, bound / math.sqrt(3), True)
            return Present("default", held, is_drawn=True)
        return seen(facts, bound == 0.0)

    def _written(self, name: str, tensor: torch.Tensor) -> Present:
        """What the constructor's calls write to a tensor on the meta device."""
        if not is_array(tensor) or not part_of(tensor).local.is_meta:
            return _UNKNOWN
        if self._journal is None:
            return _UNWRITTEN
        ref = self._journal.ref(tensor)
        if not self._journal.is_filled(ref):
            return _UNWRITTEN
        default = self._journal.is_default(ref.storage)
        replay = Replay(self._journal, torch.device("cpu"), 0, {}, {})
        draw = replay.draw(ref.storage) if self._journal.covers(ref) else None
        if draw is not None and draw.std is not None:
            # A draw of another kind of layer's (an embedding's) is what a live model's values show.
            return _drawn(draw, default and (name in self._bounds or not draw.std))
        if default:
            return Present("default", Initializer("unknown", default=True))
        if name in self._buffers or not tensor.is_floating_point():
            return _UNKNOWN
        facts = facts_of(replay.view(ref, replay.storage(ref.storage)))
        return seen(facts) if facts.count else _UNKNOWN


def _drawn(draw: Draw, default: bool) -> Present:
    held = Initializer(draw.name, draw.args, draw.std, default, mean=draw.mean or 0.0)
    if draw.name in ("eye_", "dirac_", "sparse_"):
        return Present("structured", held)
    if not default and not draw.std:
        return Present("constant" if draw.mean else "zeros", held)
    return Present(
        "default" if default else "set", held, is_drawn=draw.name != "orthogonal_" and not draw.mean
    )


def seen(facts: Facts, default: bool = False) -> Present:
    """What values are that are not PyTorch's default draw; `default`, if zeros are."""
    chance = facts.std * max(0.25, 5 / math.sqrt(max(1, facts.sampled)))
    mean = facts.mean if abs(facts.mean) > chance else 0.0
    held = Initializer("measured", {}, facts.std, mean=mean)
    if facts.low == facts.high:
        zero = not facts.low
        held = Initializer("constant_", {"val": facts.low}, 0.0, mean=facts.low)
        return Present(("default" if default else "zeros") if zero else "constant", held)
    if facts.is_structured:
        return Present("structured", held)
    return Present("set", held, facts.is_draw)


def default_bounds(model: nn.Module) -> dict[str, float]:
    """The bounds of PyTorch's default draw, by the name of the parameter; 0 for zeros.

    Only parameters of torch's own layers have them: linear, convolutional, bilinear, recurrent
    layers, and attention's projections.
    """
    found: dict[str, float] = {}
    flat = {id_: part.shape for id_, part in flat_parts(model)}
    for prefix, module in model.named_modules():
        if is_fsdp1(module):
            continue
        for key, tensor in module._parameters.items():
            if tensor is None or not is_array(tensor):
                continue
            shape = flat.get(id(tensor), tuple(tensor.shape))
            bound = _default_bound(module, key, shape)
            if bound is not None:
                found.setdefault(plain_name(f"{prefix}.{key}" if prefix else key), bound)
    for one in normed(model):
        bound = _default_bound(one.owner, one.name, tuple(one.v.shape))
        if bound is not None:
            found[one.direction] = bound
    return found


def _default_bound(module: nn.Module, key: str, shape: tuple[int, ...]) -> float | None:
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return _root(module.hidden_size)
    if isinstance(module, nn.MultiheadAttention):
        if key.endswith("proj_weight"):
            return math.sqrt(6 / (shape[0] + shape[1]))
        return 0.0 if key == "in_proj_bias" else None
    if key not in ("weight", "bias"):
        return None
    if isinstance(module, nn.Bilinear):
        return _root(module.in1_features)
    if key == "bias" and isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear):
        return 0.0
    return _root(_torch_fan(module))


def _torch_fan(module: nn.Module) -> int:
    """fan_in as torch counts it from the weight's shape, for the bias as well; 0 if it has none.

    Of transposed convolutions that is what leaves them.
    """
    if isinstance(module, nn.Linear):
        return module.in_features
    if not isinstance(module, nn.modules.conv._ConvNd):
        return 0
    channels = module.out_channels if module.transposed else module.in_channels
    return channels // module.groups * math.prod(module.kernel_size)


def _root(fan: int) -> float | None:
    return 1 / math.sqrt(fan) if fan else None


def _is_readable(tensor: torch.Tensor) -> bool:
    """Whether a tensor is an array of real numbers that has memory here."""
    if not is_array(tensor) or not tensor.is_floating_point():
        return False
    local = part_of(tensor).local
    if local.is_meta or is_wrapper(local) or tensor.element_size() < 2:
        return False
    return not shares_itself(local)


def _first(part: Part) -> int:
    """The index of a shard's first element in the whole tensor, where that is whole rows."""
    if part.first is not None:
        return part.first
    return part.offsets[0] * math.prod(part.shape[1:]) if part.offsets else 0


def _of_all_ranks(
    facts: Mapping[str, Facts],
    tensors: Mapping[str, torch.Tensor],
    parts: Mapping[str, Part],
    ranks: Together,
) -> dict[str, Facts]:
    """The facts of whole parameters, from those of all ranks' shards."""
    found = dict(facts)
    for group, names in _groups(tensors, parts):
        every: list[Any] = [None] * torch.distributed.get_world_size(group)
        mine = {name: found[name] for name in names}
        with ranks.exchange("gather what the shards hold", " ".join(names)):
            torch.distributed.all_gather_object(every, mine, group=group)
        for name in names:
            found[name] = sum((others[name] for others in every), Facts())
    return found


def _groups(
    tensors: Mapping[str, torch.Tensor], parts: Mapping[str, Part]
) -> Iterator[tuple[Any, list[str]]]:
    """The groups of processes among which parameters are cut, and the names of those."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return
    from torch.distributed.tensor import DTensor

    found: dict[int, tuple[Any, list[str]]] = {}
    for name, part in parts.items():
        data = tensors[name].data
        if part.group is not None:
            found.setdefault(id(part.group), (part.group, []))[1].append(name)
        if isinstance(data, DTensor):
            for place, placement in enumerate(data.placements):
                if placement.is_shard():
                    group = data.device_mesh.get_group(place)
                    found.setdefault(id(group), (group, []))[1].append(name)
    yield from found.values()
