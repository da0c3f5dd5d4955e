"""Orthogonal matrices of a given std, from the same blocks of normal numbers as everything else."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from initlint.fill.blocks import Source, block_size, drawn_block
from initlint.records import Layer


def orthogonal(source: Source, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """A tensor of `shape`, in float32, whose matrices have orthogonal rows or columns.

    It is `source.matrices` matrices, one after the other in memory. Of each the QR decomposition
    of a normal draw gives rows, or columns if there are more rows than columns, of equal length and
    at right angles (Saxe et al. 2014, arXiv 1312.6120; signs as in Mezzadri 2007, arXiv
    math-ph/0609050), multiplied so that the elements' root mean square is `source.std`. All of it
    is made, whatever part is wanted.
    """
    columns = source.columns or math.prod(shape[1:])
    drawn = _normal(replace(source, distribution="normal", std=1.0), math.prod(shape), device)
    made = [_matrix(part, source.std) for part in drawn.view(source.matrices, -1, columns)]
    return torch.cat(made).view(shape)


def centred(source: Source, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """A normal tensor of `shape`, in float32, each of whose rows sums to zero, of the same std."""
    drawn = _normal(replace(source, distribution="normal", std=1.0), math.prod(shape), device)
    rows = drawn.view(shape[0], -1)
    size = rows.shape[1]
    rows = rows - rows.mean(1, keepdim=True)
    return (rows * (source.std * math.sqrt(size / max(1, size - 1)))).view(shape)


def matrices_of(layer: Layer) -> tuple[int, int] | None:
    """How many matrices lie one after the other in a weight, and of how many columns.

    Groups of a convolution, packed projections, experts of a stack are each a matrix. None where
    the weight is no row of such matrices: its own axes stand in another order.
    """
    shape = layer.shape
    if len(shape) < 2 or not layer.fan_in or not layer.fan_out:
        return None
    # A stride divides the taps among results, not the matrix.
    fan_in, fan_out = round(layer.fan_in * layer.spread), round(layer.fan_out)
    if layer.type == "Parameter" and len(shape) > 2:
        found = _stacked(shape, fan_in, fan_out)
        if found is not None:
            return found
    window = math.prod(shape[2:])
    if shape[1] * window not in (fan_in, fan_out):
        return None
    rows = fan_out if fan_in == shape[1] * window else fan_in
    count, rest = divmod(shape[0] * window, rows)
    fits = count and not rest and shape[0] % count == 0
    return (count, shape[1] * window) if fits else None


def _stacked(shape: tuple[int, ...], fan_in: int, fan_out: int) -> tuple[int, int] | None:
    """The matrices of a weight used in a batched product: leading axes count them.

    (experts, in, out) is one of in rows for every expert, (in, heads, size) is a single one. The
    fan_out may count all experts, where each is given the same.
    """
    last = len(shape)
    for first, middle in ((i, j) for i in reversed(range(last)) for j in range(i + 1, last)):
        count, rows = math.prod(shape[:first]), math.prod(shape[first:middle])
        columns = math.prod(shape[middle:])
        for taken, given in ((rows, columns), (columns, rows)):
            if taken == fan_in and fan_out in (given, given * count):
                return count, columns
    return None


def _normal(source: Source, total: int, device: torch.device) -> torch.Tensor:
    blocks = range(-(-total // block_size(device)))
    return torch.cat([drawn_block(source, total, block, device) for block in blocks])


def _matrix(drawn: torch.Tensor, std: float) -> torch.Tensor:
    rows, columns = drawn.shape
    q, r = torch.linalg.qr(drawn if rows >= columns else drawn.T)
    made: torch.Tensor = q * r.diagonal().sign() * (std * math.sqrt(max(rows, columns)))
    return made if rows >= columns else made.T
