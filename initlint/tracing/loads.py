"""Finds the memory that was loaded from a file while a model was built."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils import _pytree as pytree

# torch.load comes down to one of these, whatever name it was imported by.
_LOADERS = ("_load", "_legacy_load")


class Loads:
    """Storages that torch.load or safetensors filled, and those copied from them as a whole."""

    def __init__(self) -> None:
        self._storages: dict[int, torch.UntypedStorage] = {}

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's content came from a file, and was not written since."""
        return key_of(tensor) in self._storages

    def copied(self, source: torch.Tensor, target: torch.Tensor) -> None:
        """Note that `target` was given the content of `source`."""
        if self.holds(source) and source.numel() == target.numel():
            self._storages[key_of(target)] = target.untyped_storage()

    def written(self, tensor: torch.Tensor) -> None:
        """Note that a tensor was filled with something else."""
        self._storages.pop(key_of(tensor), None)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts, everything that is read from a file is noted."""
        with contextlib.ExitStack() as patches:
            for name in filter(vars(torch.serialization).__contains__, _LOADERS):
                patches.enter_context(replaced(torch.serialization, name, self._noting))
            safetensors = sys.modules.get("safetensors.torch")
            if hasattr(safetensors, "safe_open"):
                patches.enter_context(replaced(safetensors, "safe_open", self._opening))
            yield

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def read(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            for value in pytree.tree_leaves(found):
                if isinstance(value, torch.Tensor):
                    self._storages[key_of(value)] = value.untyped_storage()
            return found

        return read

    def _opening(self, original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: _File(original(*args, **kwargs), self._noting)


class _File:
    """A safetensors file whose methods' results are noted."""

    def __init__(self, file: Any, noting: Callable[[Callable[..., Any]], Any]) -> None:
        self._file, self._noting = file, noting

    def __enter__(self) -> _File:
        self._file = self._file.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return self._noting(getattr(self._file, name))


def key_of(tensor: torch.Tensor) -> int:
    """A key of a tensor's memory, valid while the tensor exists."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError, ValueError):
        # Sparse tensors have none, lazy parameters have none yet.
        return -id(tensor)


@contextlib.contextmanager
def replaced(
    owner: Any, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """While it lasts, a class or module has what `wrapper` makes of one of its functions."""
    original = vars(owner)[name]
    function = original.__func__ if isinstance(original, staticmethod) else original
    setattr(owner, name, wrapper(function))
    try:
        yield
    finally:
        setattr(owner, name, original)
