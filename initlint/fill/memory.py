"""The memory of tensors: finds shared, overlapping and read-only memory.

A place in memory is an address on a device; on the meta device, which has none, it is a storage
and an offset in it.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch

from initlint.tracing.unchanged import LAZY

# Linux lists the memory of a process here, one mapping a line: begin-end, rights, file.
_MAPS = Path("/proc/self/maps")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) .(.)")


@dataclass(frozen=True, slots=True)
class Extent:
    """The bytes from `begin` to `end` of a memory, in which a tensor's elements lie by `steps`.

    `steps` are (size, stride in bytes) for each dimension that has more than one place, and the
    bytes of an element last.
    """

    memory: object
    begin: int
    end: int
    steps: tuple[tuple[int, int], ...]


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """A plain tensor on the same memory, so that a subclass cannot intercept writes.

    It has its own version counter.
    """
    with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
        empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        place = tensor.storage_offset(), tensor.size(), tensor.stride()
        return empty.set_(tensor.untyped_storage(), *place)


def is_array(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a strided array of numbers: not lazy, sparse, nested or quantised."""
    if isinstance(tensor, LAZY) or tensor.is_nested or tensor.is_quantized:
        return False
    return bool(tensor.layout is torch.strided)


def is_wrapper(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds others that have its numbers, and has no memory of its own."""
    return hasattr(tensor, "__tensor_flatten__")


def unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """A wrapper's inner tensor if that has the same shape and dtype; else the tensor itself."""
    if not is_wrapper(tensor):
        return tensor
    names = tensor.__tensor_flatten__()[0]  # type: ignore[attr-defined]
    inner = getattr(tensor, names[0]) if len(names) == 1 else tensor
    same = (inner.shape, inner.dtype) == (tensor.shape, tensor.dtype)
    return unwrapped(inner) if same and inner is not tensor else tensor


def dense_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The strided tensors that hold a tensor's elements: itself, or what a wrapper is made of.

    Of lazy tensors, and of those whose memory torch does not show, there are none.
    """
    if isinstance(tensor, LAZY):
        return
    if is_wrapper(tensor):
        for name in tensor.__tensor_flatten__()[0]:  # type: ignore[attr-defined]
            yield from dense_parts(getattr(tensor, name))
        return
    if tensor.layout is torch.sparse_coo:
        yield tensor.detach()._values()
    elif tensor.layout is torch.strided and not tensor.is_nested:
        yield tensor
    elif tensor.is_nested or "sparse" in str(tensor.layout):
        yield tensor.detach().values()


def extent_of(tensor: torch.Tensor) -> Extent | None:
    """The memory range of a strided tensor; None if it has no elements or no memory."""
    with torch._C.DisableTorchFunctionSubclass():
        if not tensor.numel():
            return None
        try:
            storage = tensor.untyped_storage()
            base = 0 if tensor.is_meta else storage.data_ptr()
        except (NotImplementedError, RuntimeError):
            return None
        size = tensor.element_size()
        begin = base + int(tensor.storage_offset()) * size
        strides = zip(tensor.size(), tensor.stride(), strict=True)
        steps = [(n, step * size) for n, step in strides if n > 1 and step]
        end = begin + sum((n - 1) * step for n, step in steps) + size
        memory = storage._cdata if tensor.is_meta else str(tensor.device)
        return Extent(memory, begin, end, (*steps, (size, 1)))


def shares_itself(tensor: torch.Tensor) -> bool:
    """Whether elements of a strided tensor share memory (expanded, overlapping)."""
    with torch._C.DisableTorchFunctionSubclass():
        sizes = [(n, step) for n, step in zip(tensor.size(), tensor.stride(), strict=True) if n > 1]
    if any(n == 0 for n in tensor.size()):
        return False
    reach = 0
    for n, step in sorted(sizes, key=lambda pair: pair[1]):
        if step <= reach:
            break
        reach += (n - 1) * step
    else:
        return False
    if any(step == 0 for _, step in sizes):
        return True
    places = torch.zeros(1 + sum((n - 1) * step for n, step in sizes), dtype=torch.bool)
    places.as_strided([n for n, _ in sizes], [step for _, step in sizes]).fill_(True)
    return int(places.sum()) < math.prod(n for n, _ in sizes)


def sharing(
    tensors: Mapping[str, torch.Tensor], asked: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Those of the names `asked` whose tensors share memory with others, and with which of them.

    Views that lie between each other's elements (columns of one matrix) share nothing.
    """
    extents = sorted(
        (
            (extent, name)
            for name, tensor in tensors.items()
            for extent in map(extent_of, dense_parts(tensor))
            if extent is not None
        ),
        key=lambda pair: (str(pair[0].memory), pair[0].begin),
    )
    found: dict[str, dict[str, None]] = {}
    for cluster in _clusters(extents):
        if any(name in asked for _, name in cluster):
            for one, other in _overlaps(cluster):
                found.setdefault(one, {})[other] = None
                found.setdefault(other, {})[one] = None
    return {name: tuple(others) for name, others in found.items() if name in asked}


def read_only(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of the tensors in read-only memory.

    For example, a file mapped for reading (numpy.memmap with mode "r"): writing there ends the
    process. Found on Linux only, for tensors on the CPU.
    """
    mappings = _fixed_mappings()
    begins = [begin for begin, _ in mappings]
    found = []
    for name, tensor in tensors.items():
        extent = extent_of(tensor) if tensor.device.type == "cpu" else None
        if extent is None:
            continue
        # The last mapping that begins before the tensor ends.
        place = bisect_right(begins, extent.end - 1) - 1
        if place >= 0 and mappings[place][1] > extent.begin:
            found.append(name)
    return found


def _fixed_mappings() -> list[tuple[int, int]]:
    """The stretches of this process's memory without the right to write, in order."""
    try:
        lines = _MAPS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = [_MAPPING.match(line) for line in lines]
    return sorted((int(m[1], 16), int(m[2], 16)) for m in found if m and m[3] != "w")


def _clusters(extents: Sequence[tuple[Extent, str]]) -> Iterator[list[tuple[Extent, str]]]:
    """Runs of more than one extent, in order of their places, each reaching into the next."""
    cluster: list[tuple[Extent, str]] = []
    end = 0
    for extent, name in extents:
        if cluster and (extent.memory != cluster[0][0].memory or extent.begin >= end):
            yield from [cluster] if len(cluster) > 1 else []
            cluster, end = [], 0
        cluster.append((extent, name))
        end = max(end, extent.end)
    if len(cluster) > 1:
        yield cluster


def _overlaps(cluster: Sequence[tuple[Extent, str]]) -> Iterator[tuple[str, str]]:
    """Pairs of names with an element in the same place.

    Every place is marked with the last that lies there. So not every pair is found, but every name
    that overlaps any other is in one.
    """
    low = min(extent.begin for extent, _ in cluster)
    high = max(extent.end for extent, _ in cluster)
    unit = math.gcd(*chain.from_iterable(_lengths(extent, low) for extent, _ in cluster))
    owners = torch.zeros((high - low) // unit, dtype=torch.int32)
    for number, (extent, name) in enumerate(cluster, start=1):
        *outer, (size, _) = extent.steps
        sizes = [*(n for n, _ in outer), size // unit]
        strides = [*(step // unit for _, step in outer), 1]
        mine = owners.as_strided(sizes, strides, (extent.begin - low) // unit)
        if mine.any():
            for other in torch.unique(mine).tolist():
                if other and cluster[other - 1][1] != name:
                    yield cluster[other - 1][1], name
        mine.fill_(number)


def _lengths(extent: Extent, low: int) -> list[int]:
    *outer, (size, _) = extent.steps
    return [extent.begin - low, size, *(step for _, step in outer)]
