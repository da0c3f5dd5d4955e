"""Replays a journal of construction on a real device, one storage at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from initlint.fill.blocks import Source, block_seed
from initlint.fill.journal import Entry, Journal, Ref, tensors_in
from initlint.fill.shards import fill_parameters
from initlint.records import Initializer, InitlintError
from initlint.torchlib.creators import METHODS, bound, renamed
from initlint.torchlib.draws import ARGUMENTS, Draw, drawn_by
from initlint.tracing.build import described
from initlint.tracing.places import shown_path

Storages = dict[int, torch.UntypedStorage]
_EXACT = 1e-6


class Replay:
    """Makes storages on `device` as the journal says, with random numbers that follow `seed`.

    `given` maps storages that are not replayed to the sources of their numbers; `names` has the
    parameters' names by storage. If a draw of a whole tensor has a scheme that `blocks` knows, it
    is replaced by `Source(seed, name, ...)`, so that a shard of it can be drawn alone.
    """

    def __init__(
        self,
        journal: Journal,
        device: torch.device,
        seed: int,
        given: Mapping[int, tuple[Source, Ref]],
        names: Mapping[int, str],
    ) -> None:
        self.device = device
        self._journal, self._seed = journal, seed
        self._given, self._names = given, names

    def storage(self, key: int) -> torch.UntypedStorage:
        """A storage with what construction would have left in it."""
        made: Storages = {}
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.device(self.device), torch.no_grad():
            for entry in self._journal.needed(key, set(self._given)):
                self._run(entry, made)
        return self._memory(key, made)

    def source(self, key: int) -> Source | None:
        """The source of a storage's numbers, if the last call fills all of it by one scheme."""
        entry = self._journal.last_of(key)
        return None if entry is None else self._source(entry)

    def draw(self, key: int) -> Draw | None:
        """The draw that a storage's last call fills all of it by; None if it is no such call."""
        entry = self._journal.last_of(key)
        found = None if entry is None else self._draw(entry)
        return None if found is None else found[0]

    def view(self, ref: Ref, storage: torch.UntypedStorage) -> torch.Tensor:
        """The tensor of `ref` on a storage."""
        empty = torch.empty(0, dtype=ref.dtype, device=storage.device)
        return empty.set_(storage, ref.offset, ref.size, ref.stride)

    def _memory(self, key: int, made: Storages) -> torch.UntypedStorage:
        if key not in made:
            size = self._journal.bytes_of(key)
            made[key] = empty_storage(size, self.device)
            if key in self._given:
                source, ref = self._given[key]
                fill_parameters([(self.view(ref, made[key]), source)])
        return made[key]

    def _run(self, entry: Entry, made: Storages) -> None:
        try:
            self._call(entry, made)
        except Exception as error:
            # On meta it did nothing, and raised no error.
            line = f"{shown_path(entry.line[0])}:{entry.line[1]}: " if entry.line else ""
            raise InitlintError(f"{line}{described(error)}") from error

    def _call(self, entry: Entry, made: Storages) -> None:
        source, target = self._source(entry), entry.target
        if source is not None and target is not None:
            fill_parameters([(self.view(target, self._memory(target.storage, made)), source)])
            return
        source = Source(self._seed, self._name_of(entry), "", 0.0)
        torch.manual_seed(block_seed(source, 0))
        args, keywords = pytree.tree_map(
            lambda value: self._raised(value, made), (entry.args, dict(entry.keywords))
        )
        results = tensors_in(entry.function(*args, **keywords))
        for place, ref in entry.made:
            made[ref.storage] = self._laid_out(results[place], ref)

    def _name_of(self, entry: Entry) -> str:
        """A name for the random numbers of a call, the same one whatever else was called before."""
        if len(entry.written) == 1 and entry.written[0] in self._names:
            place = self._journal.before_last(entry, entry.written[0])
            return f"{self._names[entry.written[0]]}.construction.{place}"
        return f"construction.{entry.number}"

    def _raised(self, value: Any, made: Storages) -> Any:
        if isinstance(value, Ref):
            return self.view(value, self._memory(value.storage, made))
        if isinstance(value, torch.Generator):
            return value.clone_state()
        is_meta = isinstance(value, str) and value == "meta"
        if is_meta or (isinstance(value, torch.device) and value.type == "meta"):
            return self.device
        return value

    def _laid_out(self, tensor: torch.Tensor, ref: Ref) -> torch.UntypedStorage:
        """The result's storage, which is to be of the kind that it was on the meta device."""
        same = (tuple(tensor.stride()), tensor.storage_offset()) == (ref.stride, ref.offset)
        storage = tensor.untyped_storage()
        size = self._journal.bytes_of(ref.storage)
        if same and tensor.dtype == ref.dtype and storage.nbytes() == size:
            return storage
        fresh = empty_storage(size, self.device)
        self.view(ref, fresh).copy_(tensor)
        return fresh

    def _source(self, entry: Entry) -> Source | None:
        """A call as a draw in blocks, where it fills the whole of one storage by a known scheme."""
        found = self._draw(entry)
        return None if found is None else self._in_blocks(*found, entry)

    def _draw(self, entry: Entry) -> tuple[Draw, int] | None:
        """What a call draws, and the storage, if it fills the whole of that one."""
        name = entry.initializer or getattr(entry.function, "__name__", "")
        target = entry.target
        if target is None or not self._is_whole(target):
            return None
        values = {key: value for key, value in entry.keywords.items() if key != "tensor"}
        if any(isinstance(value, torch.Generator) for value in (*entry.args, *values.values())):
            return None
        if entry.initializer:
            given = bound(ARGUMENTS.get(name, {}), entry.args[1:], values)
        elif name in METHODS:
            name, arguments = METHODS[name]
            given = bound(arguments, entry.args[1:], renamed(values))
        else:
            return None
        if not target.dtype.is_floating_point:
            return None
        return drawn_by(name, given, target.size), target.storage

    def _in_blocks(self, draw: Draw, storage: int, entry: Entry) -> Source | None:
        distribution = distribution_of(draw)
        if not distribution or draw.std is None or draw.mean is None:
            return None
        name = self._names.get(storage, f"construction.{entry.number}")
        return Source(self._seed, name, distribution, draw.std, draw.mean)

    def _is_whole(self, ref: Ref) -> bool:
        in_order = ref.stride == torch.empty(ref.size, device="meta").stride()
        return in_order and self._journal.covers(ref)


def empty_storage(size: int, device: torch.device) -> torch.UntypedStorage:
    """Memory of so many bytes."""
    return torch.empty(size, dtype=torch.uint8, device=device).untyped_storage()


def distribution_of(draw: Draw | Initializer) -> str:
    """Which of the distributions that blocks can draw a scheme gives; empty if none."""
    if draw.name in ("constant_", "zeros_", "ones_"):
        return "constant"
    if draw.name in ("uniform_", "kaiming_uniform_", "xavier_uniform_"):
        return "uniform"
    if draw.name in ("normal_", "kaiming_normal_", "xavier_normal_"):
        return "normal"
    if draw.name != "trunc_normal_" or draw.std is None:
        return ""
    args = draw.args
    ends = [(args[end] - args["mean"]) / args["std"] for end in ("a", "b")]
    if min(-ends[0], ends[1]) > 6:
        return "normal"
    return "trunc_normal" if max(abs(ends[0] + 2), abs(ends[1] - 2)) < _EXACT else ""
