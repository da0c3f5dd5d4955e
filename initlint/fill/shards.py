"""Finds the local part of a parameter (all of it, or a shard), and fills it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from initlint.fill.blocks import (
    Source,
    block_size,
    drawn_block,
    fill_piece,
    forget_gates,
    pieces,
)
from initlint.fill.memory import is_array, unwrapped
from initlint.fill.orthogonal import centred, orthogonal
from initlint.fill.undo import Copies
from initlint.records import InitlintError
from initlint.tracing.build import described

# The memory that a piece of work writes, and what writes it.
Work = tuple[torch.Tensor, Callable[[], None]]
Advance = Callable[[int], None]
# Prefixes that wrappers add to parameter names.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_WHOLE = {"orthogonal": orthogonal, "centred": centred, "forget": forget_gates}
# Smaller parameters are filled without threads.
_SMALL = 2**15


@dataclass(frozen=True, slots=True)
class Part:
    """The local part of a parameter, the full shape, and where the part begins.

    `offsets` has an entry for each dimension. FSDP1 cuts parameters without regard to rows: then
    `first` is the index of the first element in row-major order, `local` is flat, and `group` has
    the processes with the other parts.
    """

    local: torch.Tensor
    shape: tuple[int, ...]
    offsets: tuple[int, ...]
    first: int | None = None
    group: Any = None

    def cut(self, whole: torch.Tensor) -> torch.Tensor:
        """This part of the whole parameter, given as a tensor of the full shape."""
        if self.first is not None:
            return whole.reshape(-1)[self.first : self.first + self.local.numel()]
        ends = zip(self.offsets, self.local.shape, strict=True)
        return whole[tuple(slice(offset, offset + length) for offset, length in ends)]


def part_of(tensor: torch.Tensor) -> Part:
    """The local part of a tensor: a DTensor's local shard, or all of any other tensor."""
    from torch.distributed.tensor import DTensor

    data = tensor.data
    if not isinstance(data, DTensor):
        return Part(unwrapped(data), tuple(data.shape), (0,) * data.dim())
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    _, offsets = compute_local_shape_and_global_offset(
        data.shape, data.device_mesh, data.placements
    )
    return Part(unwrapped(data.to_local()), tuple(data.shape), tuple(offsets))


def parts_of(model: nn.Module) -> dict[str, Part]:
    """The local part of every parameter and buffer, by name.

    Names are without FSDP1's wrappers. Lazy, sparse, nested and quantised tensors are left out.
    """
    flat = dict(flat_parts(model))
    return {
        name: flat[id(tensor)] if id(tensor) in flat else part_of(tensor)
        for name, tensor in tensors_of(model).items()
        if is_array(tensor)
    }


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers by name, without the prefixes of FSDP1's wrappers."""
    named = (*model.named_parameters(), *model.named_buffers())
    return {plain_name(name): tensor for name, tensor in named}


def plain_name(name: str) -> str:
    """A parameter's or module's name without FSDP1's wrappers."""
    return name.replace("_fsdp_wrapped_module.", "")


def bare_name(name: str) -> str:
    """A parameter's name without the prefixes of wrappers."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def is_fsdp1(module: nn.Module) -> bool:
    """Whether a module is FSDP1's wrapper; told by name, as its import takes a second."""
    kind = type(module)
    return kind.__name__ == "FullyShardedDataParallel" and kind.__module__.startswith("torch.")


def flat_parts(model: nn.Module) -> Iterator[tuple[int, Part]]:
    """The parts that FSDP1 (`use_orig_params=True`) keeps, by the identity of their tensors."""
    for handle in _handles(model):
        flat = handle.flat_param
        views = zip(
            flat._param_infos, flat._shapes, flat._shard_param_infos, flat._params, strict=True
        )
        for _, shape, held, tensor in views:
            first = held.intra_param_start_idx if held.in_shard else 0
            local = tensor.data.view(-1)
            yield id(tensor), Part(local, tuple(shape), (), first or 0, handle.process_group)


def _handles(model: nn.Module) -> list[Any]:
    """FSDP1's records of the parameters that it flattened; only for a model wrapped by it."""
    if not any(map(is_fsdp1, model.modules())):
        return []
    from torch.distributed.fsdp._traversal_utils import _get_fsdp_handles

    handles = _get_fsdp_handles(model)
    if any(handle.flat_param._params is None for handle in handles):
        raise InitlintError(
            "FSDP1 has put the parameters into flat ones without a shape: wrap the model with "
            "use_orig_params=True, or fill it before it is wrapped"
        )
    return [handle for handle in handles if handle.uses_sharded_strategy]


def fill_parameters(
    sources: Sequence[tuple[torch.Tensor | Part, Source]],
    advance: Advance | None = None,
    copies: Copies | None = None,
) -> None:
    """Fill every tensor, or the part of it that is here, in place; large ones in parallel.

    Autograd does not notice: neither gradients nor version counters change. `advance` is called
    with the number of elements done. With `copies`, every piece is copied before it is written, and
    an error becomes an InitlintError that names the parameter.
    """
    waiting: list[tuple[Callable[[], None], int]] = []
    with torch.no_grad():
        for found, source in sources:
            part = found if isinstance(found, Part) else part_of(found)
            works = [partial(_done, work, source, copies) for work in _works(part, source)]
            if part.local.numel() >= _SMALL:
                waiting += [(work, -(-part.local.numel() // len(works))) for work in works]
                continue
            for work in works:
                work()
        _run(waiting, advance or _unheard)


def _done(work: Work, source: Source, copies: Copies | None) -> None:
    """Do one piece of work."""
    target, write = work
    if copies is None:
        write()
        return
    try:
        copies.keep(target)
        write()
    except Exception as error:
        raise InitlintError(f"{source.name} cannot be written: {described(error)}") from error


def _unheard(count: int) -> None:
    pass


def _run(works: Sequence[tuple[Callable[[], None], int]], advance: Advance) -> None:
    """Run in as many threads as torch uses; it releases the interpreter while it draws.

    Each thread takes the next piece of work itself: handing them out costs more than seeding them.
    """
    remaining, turn = iter(works), threading.Lock()

    def share() -> None:
        # Whether gradients are recorded is a setting of each thread.
        with torch.no_grad():
            for work, count in remaining:
                work()
                with turn:
                    advance(count)

    threads = min(len(works), torch.get_num_threads())
    if threads < 2:
        share()
        return
    with ThreadPoolExecutor(threads) as pool:
        shares = [pool.submit(share) for _ in range(threads)]
        try:
            wait(shares, return_when=FIRST_EXCEPTION)
        finally:
            # Where one failed, or the user has had enough, nothing more is begun.
            deque(remaining, maxlen=0)
        for done in shares:
            done.result()


def _works(part: Part, source: Source) -> Iterator[Work]:
    """The pieces of work that fill the local part of a parameter."""
    local, shape = part.local, part.shape
    if local.numel() == 0:
        return
    if source.distribution in _WHOLE:
        yield local, partial(_cut, part, source)
    elif part.first is not None:
        yield from _flat(local, part.first, shape, source)
    elif local.shape[1:] == shape[1:] and local.is_contiguous():
        first = (part.offsets[0] if part.offsets else 0) * _product(shape[1:])
        yield from _flat(local.view(-1), first, shape, source)
    else:
        yield local, partial(_scattered, local, part.offsets, shape, source)


def _cut(part: Part, source: Source) -> None:
    """Matrices that are not drawn number by number are made whole wherever a part is held."""
    made = _WHOLE[source.distribution](source, part.shape, part.local.device)
    part.local.copy_(part.cut(made))


def _flat(flat: torch.Tensor, start: int, shape: tuple[int, ...], source: Source) -> Iterator[Work]:
    """Elements that lie one after the other: block by block."""
    total = _product(shape)
    size = block_size(flat.device)
    for block, begin, end in pieces(start, start + flat.numel(), size):
        target = flat[begin - start : end - start]
        yield target, partial(fill_piece, target, source, total, block, begin, end)


def _scattered(
    local: torch.Tensor, offsets: tuple[int, ...], shape: tuple[int, ...], source: Source
) -> None:
    """Parts of rows, or strided memory: row by row, each cut out of the full one."""
    rows = _Rows(shape, source, local.device)
    inner = [slice(o, o + n) for o, n in zip(offsets[1:], local.shape[1:], strict=True)]
    if local.dim() == 0:
        local.copy_(rows.row(0).view(()))
        return
    for place in range(local.shape[0]):
        row = rows.row(offsets[0] + place).view(shape[1:])
        local[place] = row[tuple(inner)] if inner else row


class _Rows:
    """Full rows of a parameter, one after the other, drawn block by block."""

    def __init__(self, shape: tuple[int, ...], source: Source, device: torch.device) -> None:
        self._source, self._device = source, device
        self._total, self._width = _product(shape), _product(shape[1:])
        self._block: tuple[int, torch.Tensor] | None = None

    def row(self, number: int) -> torch.Tensor:
        """One row, flat, in float32."""
        size = block_size(self._device)
        start = number * self._width
        parts = [
            self._drawn(block)[begin - block * size : end - block * size]
            for block, begin, end in pieces(start, start + self._width, size)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _drawn(self, block: int) -> torch.Tensor:
        if self._block is None or self._block[0] != block:
            drawn = drawn_block(self._source, self._total, block, self._device)
            self._block = (block, drawn)
        return self._block[1]


def _product(sizes: Sequence[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
