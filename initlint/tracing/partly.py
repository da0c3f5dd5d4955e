"""Which elements of memory that nothing filled as a whole were written by writes to its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

# Memory with more elements is not gone through: it counts as written.
_MOST = 1 << 24
# Methods that make a part of a tensor zero.
TRIANGLES = ("tril_", "triu_")


class Partly:
    """For every storage of which parts were written, the elements that were."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[torch.UntypedStorage, torch.Tensor]] = {}

    def write(self, part: torch.Tensor, index: Any = ...) -> None:
        """Note a write to a view of a storage, or to the elements of it at an index."""
        mask = self._mask(part)
        if mask is None:
            return
        each = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, torch.Tensor) and i.is_meta for i in each):
            # Which elements these are is not known on the meta device.
            mask.fill_(True)
            return
        try:
            torch.as_strided(mask, part.shape, part.stride(), part.storage_offset())[index] = True
        except (RuntimeError, IndexError, TypeError, ValueError, NotImplementedError):
            mask.fill_(True)

    def missing(self, tensor: torch.Tensor) -> int:
        """How many elements nothing wrote, of a tensor of which something wrote a part."""
        storage = tensor.untyped_storage()
        found = self._written.get(storage._cdata)
        if found is None:
            return 0
        view = torch.as_strided(found[1], tensor.shape, tensor.stride(), tensor.storage_offset())
        return int((~view).sum())

    def _mask(self, part: torch.Tensor) -> torch.Tensor | None:
        storage = part.untyped_storage()
        count = storage.nbytes() // part.element_size()
        if not 0 < count <= _MOST:
            return None
        if storage._cdata not in self._written:
            mask = torch.zeros(count, dtype=torch.bool, device="cpu")
            self._written[storage._cdata] = (storage, mask)
        mask = self._written[storage._cdata][1]
        return mask if mask.numel() == count else None


def made_zero(
    name: str, shape: Sequence[int], args: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Any:
    """The elements that `tril_` or `triu_` makes zero, as an index; all of large memory."""
    if math.prod(shape) > _MOST:
        return ...
    kept = getattr(torch.ones(tuple(shape), device="cpu"), name)(*args, **keywords)
    return torch.eq(kept, 0)
