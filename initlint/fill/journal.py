"""Records construction on the meta device: the calls that write every tensor, for a replay.

Tensors are identified by their storage, so that a view, `.data`, or a parameter made from a tensor
is the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import numpy
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from initlint.torchlib.creators import EMPTY, READING
from initlint.torchlib.draws import INITIALIZERS
from initlint.tracing.partly import TRIANGLES, made_zero
from initlint.tracing.places import (
    arguments_of,
    by_torch,
    caller,
    initialiser_of,
    user_frame,
)
from initlint.tracing.unchanged import LAZY

# Arguments of more bytes are not copied.
_LARGE = 2**20


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor on the meta device: its storage, and which part of that it shows."""

    storage: int
    dtype: torch.dtype
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One call: what it was given, with `Ref` for tensors, and which storages it wrote and made.

    `made` are those tensors of its result, by their place among them, that lie in storages of
    their own; `initializer` names the function of torch.nn.init, or the method, that fills.
    `by_torch` is True for calls by torch's own modules (PyTorch's default). `line` is that of the
    user's code: a file, and a number.
    """

    number: int
    function: Callable[..., Any]
    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    written: tuple[int, ...]
    made: tuple[tuple[int, Ref], ...]
    initializer: str = ""
    by_torch: bool = False
    line: tuple[str, int] | None = None

    @property
    def read(self) -> Iterator[int]:
        """The storages of everything that the call was given."""
        for value in pytree.tree_leaves((self.args, self.keywords)):
            if isinstance(value, Ref):
                yield value.storage

    @property
    def target(self) -> Ref | None:
        """What the call was given first, which is what an initialiser fills."""
        value = self.keywords.get("tensor", self.args[0] if self.args else None)
        return value if isinstance(value, Ref) else None


@dataclass(slots=True)
class _Memory:
    """A storage, held so that its identity is not given away, and the calls that concern it."""

    storage: torch.UntypedStorage
    entries: list[Entry] = field(default_factory=list)


class Journal(TorchFunctionMode):
    """Context in which a model is built on the meta device, or its parts are reset there."""

    def __init__(self) -> None:
        super().__init__()
        self._memories: dict[int, _Memory] = {}
        # Real memory that `torch.empty` and its kin gave, and that nothing has written yet.
        self._bare: dict[int, torch.UntypedStorage] = {}
        self._count = 0
        self._initialising: FrameType | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        if isinstance(func, FunctionType) and func.__name__ in INITIALIZERS:
            # Several return early on meta tensors, and none would find what to write there.
            return self._initialised(func, args, keywords, by_torch(caller(1)))
        outermost = initialiser_of(caller(1))
        if outermost is not None:
            self._note_frame(outermost)
            return func(*args, **keywords)
        return self._called(func, args, keywords, by_torch(caller(1)))

    def ref(self, tensor: torch.Tensor) -> Ref:
        """What the journal calls a tensor on the meta device."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        self._memories.setdefault(key, _Memory(storage))
        shape, stride = tuple(tensor.size()), tuple(tensor.stride())
        return Ref(key, tensor.dtype, shape, stride, int(tensor.storage_offset()))

    def bytes_of(self, storage: int) -> int:
        """How much memory a storage stands for."""
        return int(self._memories[storage].storage.nbytes())

    def covers(self, ref: Ref) -> bool:
        """Whether a tensor shows all of its storage."""
        size = torch.Size(ref.size).numel() * ref.dtype.itemsize
        return size == self.bytes_of(ref.storage)

    def last_of(self, storage: int) -> Entry | None:
        """The call that concerns a storage last."""
        entries = self._memories[storage].entries
        return entries[-1] if entries else None

    def line_of(self, storage: int) -> str:
        """The line of the user's code that wrote a storage last, as net.py:12; empty if none."""
        last = self.last_of(storage)
        if last is None or last.line is None:
            return ""
        return f"{Path(last.line[0]).name}:{last.line[1]}"

    def is_written(self, storage: int) -> bool:
        """Whether anything but its allocation concerns a storage.

        What is computed from memory that nothing wrote is no more than that.
        """
        waiting, seen = [storage], {storage}
        while waiting:
            current = waiting.pop()
            for entry in self._memories[current].entries:
                name = getattr(entry.function, "__name__", "")
                first = pytree.tree_leaves(entry.args[:1])
                sources = {value.storage for value in first if isinstance(value, Ref)}
                if name.strip("_") in READING and sources:
                    waiting += sources - seen
                    seen |= sources
                elif current in entry.written or name not in EMPTY:
                    return True
        return False

    def is_filled(self, ref: Ref) -> bool:
        """Whether calls write all elements of a tensor, as far as that can be told."""
        return self.is_written(ref.storage) and not self._is_partly_written(ref)

    def _is_partly_written(self, ref: Ref) -> bool:
        """Whether calls fill parts of new memory that leave elements of a tensor out."""
        entries = self._memories[ref.storage].entries
        if not entries or getattr(entries[0].function, "__name__", "") not in EMPTY:
            return False
        mask = torch.zeros(self.bytes_of(ref.storage) // ref.dtype.itemsize, dtype=torch.bool)
        for entry in entries[1:]:
            target = entry.target
            if ref.storage not in entry.written:
                continue
            name = getattr(entry.function, "__name__", "")
            index = entry.args[1] if name == "__setitem__" else ...
            if target is not None and name in TRIANGLES:
                index = made_zero(name, target.size, entry.args[1:], entry.keywords)
            elif name.endswith("_") and name.strip("_") in READING:
                # What it leaves is as little known as what was there.
                continue
            if target is None or target.storage != ref.storage or _has_ref(index):
                return False
            torch.as_strided(mask, target.size, target.stride, target.offset)[index] = True
        return not bool(torch.as_strided(mask, ref.size, ref.stride, ref.offset).all())

    def before_last(self, entry: Entry, storage: int) -> int:
        """How many calls that concern a storage come after one."""
        return sum(other.number > entry.number for other in self._memories[storage].entries)

    def is_default(self, storage: int) -> bool:
        """Whether torch's own modules wrote a storage last."""
        last = self.last_of(storage)
        return last is not None and last.by_torch

    def is_bare(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has real memory that nothing wrote (a factory that calls `to_empty`)."""
        return not tensor.is_meta and tensor.untyped_storage()._cdata in self._bare

    def needed(self, storage: int, given: set[int]) -> list[Entry]:
        """All calls, in their order, that what a storage holds in the end depends on.

        Those that lead to the storages `given` are left out.
        """
        found: dict[int, Entry] = {}
        waiting, seen = [storage], set(given)
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            for entry in self._memories[current].entries:
                found[entry.number] = entry
                waiting.extend(entry.read)
        return [found[number] for number in sorted(found)]

    def _called(
        self, func: Callable[..., Any], args: Any, keywords: Mapping[str, Any], default: bool
    ) -> Any:
        given = [(t, t._version) for t in tensors_in((args, keywords)) if not t.is_inference()]
        before = [(t, version) for t, version in given if t.is_meta]
        refs = {self.ref(t).storage for t, _ in before}
        lowered = self._lowered(args), self._lowered(keywords)
        result = func(*args, **keywords)
        _advance(func, args, keywords)
        if getattr(func, "__name__", "") == "__set__":
            return result
        self._note_real(func, result, [t for t, old in given if t._version != old])
        written = tuple({self.ref(t).storage for t, old in before if t._version != old})
        made = enumerate(tensors_in(result))
        found = [(place, self.ref(t)) for place, t in made if t.is_meta]
        new = tuple((place, ref) for place, ref in found if ref.storage not in refs)
        if written or new:
            self._note(func, *lowered, written, new, by_torch=default)
        return result

    def _note_real(self, func: Any, result: Any, written: Sequence[torch.Tensor]) -> None:
        """Keep the record of real memory that was given but not written."""
        for tensor in written:
            if not tensor.is_meta:
                self._bare.pop(tensor.untyped_storage()._cdata, None)
        if getattr(func, "__name__", "") in EMPTY and _is_tensor(result) and not result.is_meta:
            storage = result.untyped_storage()
            self._bare[storage._cdata] = storage

    def _initialised(
        self, func: Callable[..., Any], args: Any, keywords: dict[str, Any], default: bool
    ) -> Any:
        tensor: Any = keywords.get("tensor", args[0] if args else None)
        if _is_tensor(tensor) and tensor.is_meta:
            written, name = (self.ref(tensor).storage,), func.__name__
            lowered = self._lowered(args), self._lowered(keywords)
            self._note(func, *lowered, written, (), name, default)
            _advance(func, args, keywords)
            return tensor
        if _is_tensor(tensor):
            self._note_real(func, None, [tensor])
        return func(*args, **keywords)

    def _note_frame(self, frame: FrameType) -> None:
        """An initialiser seen from inside, once, with the arguments that it was given."""
        if frame is self._initialising:
            return
        self._initialising = frame
        values = arguments_of(frame)
        if not _is_tensor(values["tensor"]):
            return
        if values["tensor"].is_meta:
            written, name = (self.ref(values["tensor"]).storage,), frame.f_code.co_name
            lowered, default = self._lowered(values), by_torch(frame)
            self._note(getattr(nn.init, name), (), lowered, written, (), name, default)
            _advance(getattr(nn.init, name), (), values)
        else:
            self._note_real(None, None, [values["tensor"]])

    def _note(
        self,
        func: Callable[..., Any],
        args: Any,
        keywords: Any,
        written: Sequence[int],
        made: tuple[tuple[int, Ref], ...],
        initializer: str = "",
        by_torch: bool = False,
    ) -> None:
        self._count += 1
        frame = user_frame(caller(2))
        line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None
        call = (func, args, keywords, tuple(written), made, initializer, by_torch, line)
        entry = Entry(self._count, *call)
        for storage in dict.fromkeys((*written, *(ref.storage for _, ref in made))):
            self._memories[storage].entries.append(entry)

    def _lowered(self, value: Any) -> Any:
        """Arguments with a `Ref` for every tensor on the meta device, and copies of the others."""
        return pytree.tree_map(
            lambda v: self.ref(v) if _is_tensor(v) and v.is_meta else _copied(v), value
        )


def _advance(func: Callable[..., Any], args: Any, keywords: Mapping[str, Any]) -> None:
    """Draw on the CPU what was drawn on the meta device from a generator of the user's.

    On the meta device a generator stays where it is, so that its next draw would be the same.
    """
    given = pytree.tree_leaves((args, dict(keywords)))
    is_meta = any(_is_tensor(value) and value.is_meta for value in given)
    if not is_meta or not any(isinstance(value, torch.Generator) for value in given):
        return
    args, keywords = pytree.tree_map(
        lambda v: torch.empty_like(v, device="cpu") if _is_tensor(v) and v.is_meta else v,
        (args, dict(keywords)),
    )
    with torch.no_grad():
        func(*args, **keywords)


def _copied(value: Any) -> Any:
    """An argument as it is now, if construction may yet change it: an array, a generator's state.

    Large arrays (loaded weights) are not copied.
    """
    if isinstance(value, torch.Generator):
        return value.clone_state()
    is_array = isinstance(value, numpy.ndarray)
    if not (is_array or _is_tensor(value)) or value.nbytes > _LARGE:
        return value
    return value.copy() if is_array else value.detach().clone()


def _has_ref(index: Any) -> bool:
    return any(isinstance(value, Ref) for value in pytree.tree_leaves(index))


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors of a call's arguments or result, in order; lazy ones are none yet."""
    return [v for v in pytree.tree_leaves(value) if _is_tensor(v)]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not isinstance(value, LAZY)
