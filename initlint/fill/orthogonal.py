"""Orthogonal matrices of a given std, from the same blocks of normal numbers as everything else."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from initlint.fill.blocks import Source, block_size, drawn_block


def orthogonal(source: Source, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """A tensor of `shape`, in float32, whose matrices have orthogonal rows or columns.

    It is `source.matrices` matrices, one after the other along the first dimension, the others
    being their columns. Of each the QR decomposition of a normal draw gives rows, or columns if
    there are more rows than columns, of equal length and at right angles (Saxe et al. 2014,
    arXiv 1312.6120; signs as in Mezzadri 2007, arXiv math-ph/0609050), multiplied so that the
    elements' root mean square is `source.std`. All of it is made, whatever part is wanted.
    """
    columns = math.prod(shape[1:])
    drawn = _normal(replace(source, distribution="normal", std=1.0), math.prod(shape), device)
    made = [_matrix(part, source.std) for part in drawn.view(source.matrices, -1, columns)]
    return torch.cat(made).view(shape)


def _normal(source: Source, total: int, device: torch.device) -> torch.Tensor:
    blocks = range(-(-total // block_size(device)))
    return torch.cat([drawn_block(source, total, block, device) for block in blocks])


def _matrix(drawn: torch.Tensor, std: float) -> torch.Tensor:
    rows, columns = drawn.shape
    q, r = torch.linalg.qr(drawn if rows >= columns else drawn.T)
    made: torch.Tensor = q * r.diagonal().sign() * (std * math.sqrt(max(rows, columns)))
    return made if rows >= columns else made.T
