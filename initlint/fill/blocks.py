"""Draws that depend on nothing but a seed, a parameter's name and an element's place in it.

A parameter is cut, in row-major order of its full shape, into blocks of a fixed size. Each block
has its own generator, so the result does not depend on the number of threads or ranks, on
sharding, or on what was filled before.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

# Elements of a block: few on the CPU, to use all threads; many on a GPU, for few kernels.
_SIZES = {"cpu": 2**18}
_OTHERS = 2**26
# Where the truncated normal distribution ends, in standard deviations, and the std that is left.
_END = 2.0
_LEFT = 0.8796256610342398
# An LSTM's bias is that of the input, forget, cell and output gates, in this order.
GATES = 4


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a parameter's numbers: seed, name, distribution and moments.

    `distribution` is normal, uniform, trunc_normal, constant, orthogonal, centred or forget. `std`
    and `mean` are those of the result; for forget, `mean` is that of forget gates. `matrices` is
    the number of separate orthogonal matrices, each with `columns` columns; 0 means all dimensions
    but the first.
    """

    seed: int
    name: str
    distribution: str
    std: float
    mean: float = 0.0
    matrices: int = 1
    columns: int = 0


def block_size(device: torch.device) -> int:
    """The number of elements of a block on this kind of device."""
    return _SIZES.get(device.type, _OTHERS)


def block_seed(source: Source, block: int) -> int:
    """The seed of a block's generator: a hash of the seed, the name and the block's number."""
    text = f"{source.seed}\0{source.name}\0{block}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def pieces(start: int, stop: int, size: int) -> Iterator[tuple[int, int, int]]:
    """The blocks that overlap the elements from `start` to `stop`: number, begin, end."""
    for block in range(start // size, -(-stop // size)):
        yield block, max(start, block * size), min(stop, (block + 1) * size)


def fill_piece(
    target: torch.Tensor, source: Source, total: int, block: int, begin: int, end: int
) -> None:
    """Fill `target`, the elements `begin` to `end` of a parameter of `total`, all in one block.

    A complete block in float32 is drawn in place. Any other block is drawn completely in float32;
    then the local part is copied, and rounded once.
    """
    size = block_size(target.device)
    first, last = block * size, min(total, (block + 1) * size)
    whole = (begin, end) == (first, last)
    if whole and target.dtype == torch.float32 and target.is_contiguous():
        _draw(target, source, block)
        return
    drawn = torch.empty(last - first, dtype=torch.float32, device=target.device)
    _draw(drawn, source, block)
    target.copy_(drawn[begin - first : end - first].view(target.shape))


def drawn_block(source: Source, total: int, block: int, device: torch.device) -> torch.Tensor:
    """One whole block of a parameter of `total` elements, in float32."""
    size = block_size(device)
    length = min(total, (block + 1) * size) - block * size
    drawn = torch.empty(length, dtype=torch.float32, device=device)
    _draw(drawn, source, block)
    return drawn


def forget_gates(source: Source, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """A bias of an LSTM, in float32: the source's mean for its forget gates, else zero."""
    made = torch.zeros(shape, device=device)
    units = shape[0] // GATES
    made[units : 2 * units] = source.mean
    return made


_here = threading.local()


def _generator(device: torch.device) -> torch.Generator:
    """A generator of this thread's for a device: seeding one again is cheaper than making one."""
    known = _here.__dict__.setdefault("generators", {})
    if device not in known:
        known[device] = torch.Generator(device)
    found: torch.Generator = known[device]
    return found


def _draw(target: torch.Tensor, source: Source, block: int) -> None:
    generator = _generator(target.device).manual_seed(block_seed(source, block))
    _DRAWS[source.distribution](target, source, generator)


def _normal(target: torch.Tensor, source: Source, generator: torch.Generator) -> None:
    target.normal_(source.mean, source.std, generator=generator)


def _uniform(target: torch.Tensor, source: Source, generator: torch.Generator) -> None:
    """sqrt(3) times the std on both sides: the variance is a third of the bound's square."""
    bound = math.sqrt(3.0) * source.std
    target.uniform_(source.mean - bound, source.mean + bound, generator=generator)


def _truncated(target: torch.Tensor, source: Source, generator: torch.Generator) -> None:
    """A normal distribution cut off at two of its std, scaled so that `std` is what is left.

    Elements outside are drawn again until none is: one element in 22 each time.
    """
    target.normal_(0.0, 1.0, generator=generator)
    flat = target.view(-1)
    outside = (flat.abs() > _END).nonzero().squeeze(1)
    while outside.numel():
        again = torch.empty(outside.numel(), dtype=flat.dtype, device=flat.device)
        again.normal_(0.0, 1.0, generator=generator)
        flat[outside] = again
        outside = outside[again.abs() > _END]
    target.mul_(source.std / _LEFT)
    if source.mean:
        target.add_(source.mean)


def _constant(target: torch.Tensor, source: Source, generator: torch.Generator) -> None:
    target.fill_(source.mean)


_DRAWS: dict[str, Callable[[torch.Tensor, Source, torch.Generator], None]] = {
    "normal": _normal,
    "uniform": _uniform,
    "trunc_normal": _truncated,
    "constant": _constant,
}
