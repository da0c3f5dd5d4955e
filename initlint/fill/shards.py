"""Which part of a parameter is here: all of it, or a shard; and how that part is filled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from initlint.fill.blocks import Source, block_size, drawn_block, fill_piece, pieces

Work = Callable[[], None]
# Parameters smaller than this are not worth a thread's attention.
_SMALL = 2**15


def fill_parameters(sources: Sequence[tuple[torch.Tensor, Source]]) -> None:
    """Fill every tensor, or the shard of it that is here, in place; large ones in parallel.

    Autograd sees nothing: neither gradients nor version counters change.
    """
    waiting: list[Work] = []
    with torch.no_grad():
        for tensor, source in sources:
            for work in _works(tensor, source):
                if tensor.numel() < _SMALL:
                    work()
                else:
                    waiting.append(work)
        _run(waiting)


def _run(works: Sequence[Work]) -> None:
    """Run in as many threads as torch uses; it releases the interpreter while it draws."""
    if len(works) < 2 or torch.get_num_threads() < 2:
        for work in works:
            work()
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(_quietly, works):
            pass


def _quietly(work: Work) -> None:
    # Whether gradients are recorded is a setting of each thread.
    with torch.no_grad():
        work()


def _works(tensor: torch.Tensor, source: Source) -> Iterator[Work]:
    """The pieces of work that fill what is here of a parameter."""
    local, offsets = region(tensor)
    if local.numel() == 0:
        return
    shape = tuple(tensor.shape)
    if local.shape[1:] == shape[1:] and local.is_contiguous():
        yield from _rows(local, offsets[0] if offsets else 0, shape, source)
    else:
        yield partial(_scattered, local, offsets, shape, source)


def region(tensor: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
    """What of a parameter is held here, and where in its full shape that begins."""
    from torch.distributed.tensor import DTensor

    data = tensor.data
    if not isinstance(data, DTensor):
        return data, (0,) * data.dim()
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    _, offsets = compute_local_shape_and_global_offset(
        data.shape, data.device_mesh, data.placements
    )
    return data.to_local(), tuple(offsets)


def _rows(
    local: torch.Tensor, first: int, shape: tuple[int, ...], source: Source
) -> Iterator[Work]:
    """Whole rows lie one after the other: block by block."""
    total = _product(shape)
    width = _product(shape[1:])
    start = first * width
    flat = local.view(-1)
    size = block_size(local.device)
    for block, begin, end in pieces(start, start + flat.numel(), size):
        target = flat[begin - start : end - start]
        yield partial(fill_piece, target, source, total, block, begin, end)


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
