"""Gives a skeleton memory, and every tensor in it the values that its own code gives it."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from initlint.fill.apply import Choice, is_wanted, names_of
from initlint.fill.blocks import Source
from initlint.fill.given import Wanted
from initlint.fill.journal import Journal, Ref, tensors_in
from initlint.fill.memory import is_array
from initlint.fill.replay import Replay, empty_storage
from initlint.fill.shards import (
    Part,
    bare_name,
    fill_parameters,
    parts_of,
    plain_name,
    tensors_of,
)
from initlint.fill.skeleton import CONVENTIONS, Skeleton
from initlint.fill.twins import is_sharded
from initlint.records import InitlintError
from initlint.tracing.build import described
from initlint.tracing.unchanged import LAZY

_TABLES = ("_parameters", "_buffers", "_modules")


@contextlib.contextmanager
def on_meta_again(model: nn.Module) -> Iterator[None]:
    """Put `model` back on the meta device if anything is raised.

    Tensors that had memory keep it. A sharded model keeps its new memory, because its wrappers
    refer to it. Errors become InitlintErrors that say which.
    """
    sharded = is_sharded(model)
    modules = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    before = [(vars(m), dict(vars(m)), [dict(vars(m)[name]) for name in _TABLES]) for m in modules]
    tensors = [t for t in (*model.parameters(), *model.buffers()) if is_array(t) and not t.is_meta]
    there = [(tensor, tensor.data) for tensor in tensors]
    try:
        yield
    except BaseException as error:
        if not sharded:
            for attributes, values, tables in before:
                _put_back(attributes, values)
                for name, entries in zip(_TABLES, tables, strict=True):
                    _put_back(attributes[name], entries)
            for tensor, data in there:
                tensor.data = data
        if not isinstance(error, Exception):
            raise
        reason = str(error) if isinstance(error, InitlintError) else described(error)
        rest = "; build the model again: not all of it is filled" if sharded else ""
        raise InitlintError(f"{reason}{rest}") from error


def _put_back(entries: dict[str, Any], before: Mapping[str, Any]) -> None:
    entries.clear()
    entries.update(before)


def fill_rest(
    model: nn.Module, skeleton: Skeleton, chosen: Choice, seed: int, device: torch.device
) -> dict[str, str]:
    """Give `model` memory on `device`, and every tensor that is not `chosen` its code's values.

    Gives the tensors that are no plain draw, with the line that wrote them last. Chosen tensors
    stay uninitialised. `model` is the skeleton's model, or the sharded model that it is a twin of.
    Raises InitlintError, before any change, for tensors that no code writes.
    """
    there = skeleton.with_values()
    refs = {name: ref for name, ref in _refs(skeleton) if name not in there}
    given = {
        refs[name].storage: (source, refs[name])
        for name, source in chosen.sources.items()
        if name in refs and skeleton.journal.covers(refs[name])
    }
    _refuse_empty(refs, skeleton, given)
    names = {ref.storage: bare_name(name) for name, ref in reversed(refs.items())}
    replay = Replay(skeleton.journal, device, seed, given, names)
    if is_sharded(model):
        _shard(model, replay, refs, given, _kept(model, skeleton.model, there))
    else:
        twins = _twins(model, skeleton.model, there)
        _embody(model, _Bodies(skeleton.journal, replay, given, device, twins))
    return {
        name: skeleton.journal.line_of(ref.storage)
        for name, ref in refs.items()
        if ref.storage not in given and not _is_finite_draw(replay.source(ref.storage))
    }


def refuse_broken(model: nn.Module, made: Mapping[str, str], wanted: Wanted) -> None:
    """Raise for wanted parameters that train, and that their code has made NaN or infinite.

    `made` are those that may be, with the line that wrote them last. In buffers and in what is
    frozen such numbers are meant: masks, and marks of what is not known yet.
    """
    trained = {plain_name(name) for name, p in model.named_parameters() if p.requires_grad}
    names = names_of(model)
    broken = [
        f"{name}, {made[name]}" if made[name] else name
        for name, part in parts_of(model).items()
        if name in made
        and name in trained
        and is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
        and _is_broken(part.local)
    ]
    if broken:
        shown = "; ".join(broken[:3]) + ("; …" if len(broken) > 3 else "")
        count = "1 tensor is" if len(broken) == 1 else f"{len(broken)} tensors are"
        raise InitlintError(
            f"{count} not finite after construction ({shown}): mend what writes them, or leave "
            "them out with skip"
        )


def _is_finite_draw(source: Source | None) -> bool:
    return source is not None and math.isfinite(source.mean) and math.isfinite(source.std)


def _is_broken(local: torch.Tensor) -> bool:
    """Whether any element is NaN or infinite."""
    if not local.is_floating_point() or local.element_size() < 2 or not local.numel():
        return False
    return not all(math.isfinite(float(v)) for v in torch.aminmax(local.detach()))


def _refs(skeleton: Skeleton) -> Iterator[tuple[str, Ref]]:
    """All tensors without memory that a model holds, by name; a shared one under its first."""
    model, journal = skeleton.model, skeleton.journal
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if isinstance(tensor, LAZY):
            raise InitlintError(f"{name} is lazy: run the model once, so that it has a shape")
        if tensor.is_meta:
            yield name, journal.ref(tensor)
    for prefix, module in model.named_modules():
        for name, value in _loose(module):
            for tensor in tensors_in(value):
                if tensor.is_meta:
                    yield f"{prefix}.{name}" if prefix else name, journal.ref(tensor)


def _loose(module: nn.Module) -> list[tuple[str, Any]]:
    """Attributes other than parameters and buffers that are, or contain, meta tensors."""
    kinds = (torch.Tensor, list, tuple, dict)
    tables = ("_parameters", "_buffers", "_modules")
    found = [(k, v) for k, v in vars(module).items() if k not in tables and isinstance(v, kinds)]
    return [(name, value) for name, value in found if any(t.is_meta for t in tensors_in(value))]


def _refuse_empty(refs: Mapping[str, Ref], skeleton: Skeleton, given: Mapping[int, Any]) -> None:
    """Raise for tensors without memory that nothing writes."""
    empty = [
        name
        for name, ref in refs.items()
        if ref.storage not in given and 0 not in ref.size and not skeleton.journal.is_filled(ref)
    ]
    if not empty:
        return
    shown = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
    count = "1 tensor" if len(empty) == 1 else f"{len(empty)} tensors"
    model = skeleton.model
    own = next((name for name in CONVENTIONS if callable(getattr(model, name, None))), "")
    remedy = "initialise them in its constructor"
    if own:
        remedy = f"call its {own} by init=lambda model: model.{own}(), or {remedy}"
    if skeleton.built is not None:
        remedy = f"give the class or function that builds the model, or {remedy}"
    raise InitlintError(
        f"{count} cannot be filled ({shown}): no code that was seen writes them; {remedy}"
    )


def _twins(model: nn.Module, twin: nn.Module, there: Collection[str]) -> dict[int, torch.Tensor]:
    """The tensors of a model's twin, which were initialised in their place, by the model's own.

    Not those that have values already.
    """
    if model is twin:
        return {}
    made = dict(_tensors(twin))
    named = ((plain_name(name), tensor) for name, tensor in _tensors(model))
    return {id(tensor): made[name] for name, tensor in named if name not in there}


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


class _Bodies:
    """Real tensors for those on the meta device; what shares a storage there shares it here."""

    def __init__(
        self,
        journal: Journal,
        replay: Replay,
        given: Mapping[int, tuple[Source, Ref]],
        device: torch.device,
        twins: Mapping[int, torch.Tensor],
    ) -> None:
        self._journal, self._replay = journal, replay
        self._given, self._device, self._twins = given, device, twins
        self._storages: dict[int, torch.UntypedStorage] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor for one of the model's; those that are real already are only moved."""
        twin = self._twins.get(id(tensor))
        if twin is None and not tensor.is_meta:
            return tensor.detach().to(self._device)
        if twin is not None and not twin.is_meta:
            # Made with values, as by `init_weights(buffer_device="cpu")`.
            return twin.detach().to(self._device)
        ref = self._journal.ref(tensor if twin is None else twin)
        if ref.storage not in self._storages:
            self._storages[ref.storage] = self._storage(ref.storage)
        return self._replay.view(ref, self._storages[ref.storage])

    def _storage(self, key: int) -> torch.UntypedStorage:
        if key in self._given:
            return empty_storage(self._journal.bytes_of(key), self._device)
        return self._replay.storage(key)


def _embody(model: nn.Module, bodies: _Bodies) -> None:
    """Replace all meta tensors by real ones; tied weights stay one parameter."""
    known: dict[int, nn.Parameter] = {}
    for module in model.modules():
        before = dict(module._parameters)
        _apply_alone(module, bodies.of)
        for name, old in before.items():
            new = module._parameters[name]
            if old is None or new is None:
                continue
            vars(new).update(vars(old))
            module._parameters[name] = known.setdefault(id(old), new)
    for module in model.modules():
        for name, value in _loose(module):
            vars(module)[name] = pytree.tree_map(
                lambda v: known.get(id(v), bodies.of(v)) if isinstance(v, torch.Tensor) else v,
                value,
            )


def _apply_alone(module: nn.Module, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Apply a function to a module's own tensors, by its own method where that can leave parts out.

    torch's recurrent layers need theirs; that of torchmetrics knows no `recurse`.
    """
    alone = "recurse" in inspect.signature(type(module)._apply).parameters
    apply = type(module)._apply if alone else nn.Module._apply
    apply(module, function, recurse=False)  # type: ignore[no-untyped-call]


def _kept(model: nn.Module, twin: nn.Module, there: Collection[str]) -> dict[str, torch.Tensor]:
    """The shards of a model that have values, or whose twin was made with some."""
    parts = parts_of(model)
    kept = {name: part.local.clone() for name, part in parts.items() if name in there}
    made = {name: tensor for name, tensor in tensors_of(twin).items() if not tensor.is_meta}
    return kept | {name: parts[name].cut(t) for name, t in made.items() if name not in there}


def _shard(
    model: nn.Module,
    replay: Replay,
    refs: Mapping[str, Ref],
    given: Mapping[int, tuple[Source, Ref]],
    kept: Mapping[str, torch.Tensor],
) -> None:
    """Fill the local shards of a model; a tensor that only its code can make is made whole.

    `kept` are the shards that have values already.
    """
    model.to_empty(device=replay.device)
    drawn: list[tuple[Part, Source]] = []
    for name, part in parts_of(model).items():
        ref = refs.get(name)
        if name in kept:
            part.local.copy_(kept[name])
        if name in kept or ref is None or ref.storage in given:
            continue
        source = replay.source(ref.storage)
        if source is not None:
            drawn.append((part, source))
        elif part.local.numel():
            part.local.copy_(part.cut(replay.view(ref, replay.storage(ref.storage))))
    fill_parameters(drawn)
