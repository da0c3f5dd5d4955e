"""Recorder of construction: where every module and parameter is made, and what fills it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import FrameType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.overrides import TorchFunctionMode

from initlint.records import Initializer, Site
from initlint.torchlib.creators import (
    CREATORS,
    KEEPING,
    METHODS,
    READING,
    bound,
    created,
    renamed,
    transformed,
)
from initlint.torchlib.draws import INITIALIZERS, UNCLEAR, UNWRITTEN, Draw, drawn_by
from initlint.torchlib.failures import why_it_raises
from initlint.torchlib.history import after
from initlint.tracing.legacy import is_sized
from initlint.tracing.loads import Loads, key_of, replaced
from initlint.tracing.made import Made
from initlint.tracing.norms import Norms
from initlint.tracing.partly import TRIANGLES, Partly, made_zero
from initlint.tracing.places import (
    INIT,
    OWN,
    TORCH,
    Sites,
    arguments_of,
    by_torch,
    called_as,
    caller,
    initialiser_of,
    user_frame,
    within,
)
from initlint.tracing.visits import Visits

_OPTIMISERS = TORCH + "optim/"
_HARMLESS = {
    *("requires_grad_", "detach_", "share_memory_", "retain_grad", "rename_", "set_"),
    *("resize_", "resize_as_", "unsqueeze_", "squeeze_", "t_", "transpose_", "swapaxes_"),
}
# What hands memory to code that no mode sees.
_ESCAPING = {"numpy", "__array__", "__dlpack__"}
# The same where the user's code asks for it; torch does to copy a tensor.
_STORAGES = {"untyped_storage", "storage", "data_ptr"}
# What gives a tensor back that is one already.
_SAME = {"as_tensor", "asarray", "atleast_1d", "atleast_2d", "atleast_3d"}


@dataclass(slots=True)
class _Content:
    """A storage and its draw; holding the storage keeps its identity from being given away."""

    storage: torch.UntypedStorage | torch.Tensor
    elements: int
    draw: Draw


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """A call of an initialiser in the user's code, and the tensor that it fills.

    `failure` is why it raises an error on a device with memory; empty if it does not.
    """

    spelled: str
    resolved: str
    site: Site | None
    within: str
    tensor: torch.Tensor
    failure: str = ""


class Recorder(TorchFunctionMode):
    """A context in which modules are built; it records how each parameter is filled.

    It does not look at values: the record is exact, needs no memory and works on meta.
    """

    def __init__(self) -> None:
        super().__init__()
        self._contents: dict[int, _Content] = {}
        # The memory of parameters: what is copied from there is a copy.
        self._held: set[int] = set()
        # The memory of parameters that an optimiser has changed: what comes later is training.
        self._trained: set[int] = set()
        self._calls: list[Noted] = []
        self._loads = Loads()
        self._visits = Visits()
        self._norms = Norms()
        # What parametrizations have computed.
        self._computed: dict[int, torch.Tensor] = {}
        self._partly = Partly()
        self._sites = Sites()
        self.made = Made(self._sites, self._note_parameter, self._note_legacy)
        self._initialising: FrameType | None = None
        self._patches = contextlib.ExitStack()

    def __enter__(self) -> Recorder:
        self._patches.enter_context(self.made.watching())
        every = replaced(ParametrizationList, "forward", self._noting_computed)
        self._patches.enter_context(every)
        self._patches.enter_context(self._loads.watching())
        self._patches.enter_context(self._visits.watching())
        self._patches.enter_context(self._norms.watching())
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        self._patches.close()
        self._initialising = None

    def eps(self, module: nn.Module) -> float | None:
        """The eps of a norm that was given by its place."""
        return self._norms.eps(module)

    def initializer(self, parameter: torch.Tensor) -> Initializer | None:
        """The initialiser that filled `parameter` last; None for memory that no call wrote."""
        return self.drawn(parameter).initializer()

    def drawn(self, tensor: torch.Tensor) -> Draw:
        """The last draw of a tensor, which knows those before it."""
        content = self._contents.get(key_of(tensor))
        return content.draw if content else UNCLEAR

    def missing(self, tensor: torch.Tensor) -> int:
        """How many elements of a tensor nothing has written, where some were."""
        draw: Draw | None = self.drawn(tensor)
        while draw is not None and draw.part:
            draw = draw.before
        return self._partly.missing(tensor) if draw is None or not draw.name else 0

    def calls(self) -> tuple[Noted, ...]:
        """The calls of initialisers in the user's code, in their order."""
        return tuple(self._calls)

    def loaded(self, model: nn.Module) -> tuple[str, ...]:
        """The names of the parameters of `model` whose values were loaded from a file."""
        return tuple(n for n, p in model.named_parameters() if self._loads.holds(p))

    def _noting_computed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute(parametrization: nn.Module) -> Any:
            result = original(parametrization)
            if isinstance(result, torch.Tensor) and key_of(result) not in self._held:
                self._computed[key_of(result)] = result
            return result

        return compute

    def is_computed(self, tensor: torch.Tensor) -> bool:
        """Whether a parametrization has computed a tensor from parameters, for one use of it."""
        return key_of(tensor) in self._computed

    def _note_parameter(
        self, parameter: nn.Parameter, frame: FrameType | None, site: Site | None
    ) -> None:
        self._note_legacy(parameter, frame, site)
        self._held.add(key_of(parameter))

    def _note_legacy(self, tensor: Any, frame: FrameType | None, site: Site | None) -> None:
        """`torch.Tensor(2, 3)`, which no mode sees, is memory that nothing wrote."""
        if frame is None or site is None or not isinstance(tensor, torch.Tensor):
            return
        content = self._contents.get(key_of(tensor))
        # A method such as float() has copied from memory that no mode has seen.
        is_unseen = content is None or (content.draw.name == UNCLEAR.name and not content.draw.by)
        if is_unseen and is_sized(frame, site):
            self._remember(tensor, UNWRITTEN)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        frame = caller(1)
        if isinstance(func, FunctionType) and name in INITIALIZERS:
            result = func(*args, **keywords)
            tensor = keywords.pop("tensor") if "tensor" in keywords else args[0]
            self._note_initializer(name, tensor, keywords, frame)
            return result
        if frame.f_code.co_filename == INIT:
            self._note_initializing(frame)
            return func(*args, **keywords)
        if frame.f_code.co_filename.startswith(_OPTIMISERS):
            self._trained.update(key_of(a) for a in args if isinstance(a, nn.Parameter))
            return func(*args, **keywords)
        source = self._source(args)
        result = func(*args, **keywords)
        if isinstance(result, torch.Tensor) or name in ("__set__", "__setitem__"):
            self._note(name, args, keywords, result, source, frame)
        self._note_others(name, args, keywords, frame)
        return result

    def _note_others(
        self, name: str, args: tuple[Any, ...], keywords: Mapping[str, Any], frame: FrameType
    ) -> None:
        """Writes to something else than the first argument, and writes that nobody will see."""
        written = keywords.get("out")
        for result in written if isinstance(written, (tuple, list)) else ():
            self._write(result, replace(UNCLEAR, spelled=name), frame)
        if isinstance(written, torch.Tensor):
            inputs = {key: value for key, value in keywords.items() if key != "out"}
            draw = _left_in(name, args, inputs, tuple(written.shape), UNCLEAR)
            self._write(written, replace(draw, spelled=name), frame)
        first = args[0] if args else None
        every = first if isinstance(first, (tuple, list)) and name.endswith("_") else ()
        is_users = not frame.f_code.co_filename.startswith((TORCH, OWN))
        escapes = name in _ESCAPING or (name in _STORAGES and is_users)
        escaping = [first] if escapes else []
        for tensor in (*every, *escaping):
            if isinstance(tensor, torch.Tensor) and not self.drawn(tensor).name:
                self._write(tensor, replace(UNCLEAR, spelled=name), frame)

    def _source(self, args: tuple[Any, ...]) -> Draw:
        """The draw in the first tensor among the arguments, before the call.

        Of several in a list, it is memory that nothing wrote only if all of them are.
        """
        first = next((a for a in args if isinstance(a, (torch.Tensor, tuple, list))), None)
        if isinstance(first, (tuple, list)):
            draws = [self.drawn(t) if isinstance(t, torch.Tensor) else UNCLEAR for t in first]
            return UNWRITTEN if draws and not any(draw.name for draw in draws) else UNCLEAR
        return UNCLEAR if first is None else self.drawn(first)

    def _note_initializing(self, frame: FrameType) -> None:
        """A call seen inside torch.nn.init: note the user's initialiser once, by its frame.

        Several initialisers return early on meta tensors, so their writes are never seen; but all
        of them look at the tensor first.
        """
        outermost = initialiser_of(frame)
        if outermost is None or outermost is self._initialising:
            return
        self._initialising = outermost
        values, name = arguments_of(outermost), outermost.f_code.co_name
        self._note_initializer(name, values.pop("tensor"), values, outermost)

    def _note_initializer(
        self, name: str, tensor: torch.Tensor, args: Mapping[str, Any], frame: FrameType
    ) -> None:
        arguments = {key: value for key, value in args.items() if key != "generator"}
        draw = drawn_by(name, arguments, tuple(tensor.shape))
        spelled = called_as(frame, name)
        self._write(tensor, replace(draw, spelled=spelled), frame)
        if not by_torch(frame):
            user, failure = user_frame(frame), _hidden_failure(name, draw.args)
            noted = Noted(spelled, name, self._sites.of(user), within(user), tensor, failure)
            self._calls.append(noted)

    def _note(
        self,
        name: str,
        args: tuple[Any, ...],
        keywords: Mapping[str, Any],
        result: Any,
        source: Draw,
        frame: FrameType,
    ) -> None:
        if name == "__set__":
            self._note_exchange(args, source, frame)
            return
        if name in _HARMLESS:
            return
        if name == "__setitem__" and _is_all(args[1]):
            filled = "copy_" if isinstance(args[2], torch.Tensor) else "fill_"
            self._note_in_place(filled, (args[0], args[2]), {}, source, frame)
        elif name == "__setitem__":
            self._write_part(args[0], "index_put_", frame, args[1])
        elif args and result is args[0]:
            self._note_in_place(name, args, keywords, source, frame)
        elif key_of(result) not in self._contents:
            draw = _left_in(name, args, keywords, tuple(result.shape), source)
            if frame.f_code.co_name == "__deepcopy__" and name in KEEPING:
                # A deep copy of a parameter has the past of the one that it is copied from.
                self._remember(result, draw)
                return
            user = user_frame(frame)
            draw = replace(draw, site=self._sites.of(user), through=within(user))
            if by_torch(frame):
                draw = replace(draw, by="torch")
            self._remember(result, draw)

    def _note_exchange(self, args: tuple[Any, ...], source: Draw, frame: FrameType) -> None:
        """`p.data = tensor`: the parameter has other memory now, and its history goes on there."""
        tensor = args[0]
        content = self._contents.get(key_of(tensor)) if isinstance(tensor, torch.Tensor) else None
        if content is not None and not content.draw.name:
            self._held.add(key_of(tensor))
        elif content is not None and content.draw is not source:
            draw = replace(content.draw, spelled="data", before=None, count=1)
            content.draw = after(draw, source, draw.through)
            self._held.add(key_of(tensor))

    def _note_in_place(
        self,
        name: str,
        args: tuple[Any, ...],
        keywords: Mapping[str, Any],
        source: Draw,
        frame: FrameType,
    ) -> None:
        if name in _SAME:
            return
        tensor, site = args[0], self._sites.of(user_frame(frame))
        if name in TRIANGLES and not source.name:
            zero = made_zero(name, tensor.shape, args[1:], keywords)
            self._write_part(tensor, name, frame, zero)
            return
        given = {key: value for key, value in keywords.items() if key != "alpha"}
        operand = next(iter((*args[1:], *given.values())), None)
        if isinstance(operand, (int, float)):
            operand = operand * keywords.get("alpha", 1)
        if name in METHODS:
            initializer, arguments = METHODS[name]
            given = bound(arguments, args[1:], renamed(keywords))
            draw = drawn_by(initializer, given, tuple(tensor.shape))
            self._write(tensor, replace(draw, spelled=name), frame)
        elif name == "copy_" and isinstance(operand, torch.Tensor):
            self._write(tensor, self._copied(operand), frame)
            self._loads.copied(operand, tensor)
        elif name not in KEEPING and (source.name or name.rstrip("_") not in READING):
            draw = transformed(name, source, operand, site)
            self._write(tensor, replace(draw, spelled=name), frame)

    def _copied(self, source: torch.Tensor) -> Draw:
        if self._loads.holds(source):
            return replace(UNCLEAR, spelled="copy_", by="load")
        by = "copy" if key_of(source) in self._held else ""
        return replace(self.drawn(source), spelled="copy_", by=by)

    def _write(self, tensor: torch.Tensor, draw: Draw, frame: FrameType) -> None:
        if key_of(tensor) in self._trained:
            return
        user = user_frame(frame)
        content = self._contents.get(key_of(tensor))
        if content is not None and tensor.numel() < content.elements:
            self._write_part(tensor, draw.spelled, frame)
            return
        draw = replace(draw, default=by_torch(frame), site=self._sites.of(user))
        before = content.draw if content is not None else UNWRITTEN
        entry = after(draw, before, within(user))
        if not draw.default:
            entry.visited, entry.nested = self._visits.reached(tensor)
        self._remember(tensor, entry)

    def _write_part(
        self, tensor: torch.Tensor, spelled: str, frame: FrameType, index: Any = ...
    ) -> None:
        """Note a write to part of a tensor: its content as a whole is now unclear.

        A write to the padding row of an embedding changes nothing about the others.
        """
        content = self._contents.get(key_of(tensor))
        if content is None or key_of(tensor) in self._trained:
            return
        if not content.draw.name or content.draw.part:
            self._partly.write(tensor, index)
        if content.draw.name == UNCLEAR.name:
            return
        user, draw = user_frame(frame), UNCLEAR
        is_default = by_torch(frame) and content.draw.default
        is_small = 10 * tensor.numel() < content.elements
        if (is_default or is_small) and self.made.is_of_embedding(tensor):
            if is_default:
                # Torch's own row of zeros for the padding.
                return
            # What all other rows hold is known as before.
            draw = replace(content.draw, by="user")
        draw = replace(draw, site=self._sites.of(user), part=True, spelled=spelled)
        content.draw = after(draw, content.draw, within(user))

    def _remember(self, tensor: torch.Tensor, draw: Draw) -> None:
        self._loads.written(tensor)
        # A sparse tensor has no storage: it is known by itself.
        held = tensor.untyped_storage() if tensor.layout is torch.strided else tensor
        self._contents[key_of(tensor)] = _Content(held, tensor.numel(), draw)


def _hidden_failure(name: str, args: Mapping[str, Any]) -> str:
    """Why an initialiser that does nothing on meta raises an error on any other device."""
    unchecked = ("uniform_", "trunc_normal_", "orthogonal_")
    return why_it_raises(name, args, None) if name in unchecked else ""


def _left_in(
    name: str,
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
    shape: tuple[int, ...],
    source: Draw,
) -> Draw:
    """The draw of a new tensor, from the function that made it, perhaps of another (`source`)."""
    if name in CREATORS:
        draw = created(name, args, keywords, shape)
        return replace(draw, spelled=name) if draw.name else draw
    if name in KEEPING:
        return source
    if name == "new":
        is_size = all(isinstance(a, (int, torch.Size)) for a in args[1:])
        return UNWRITTEN if is_size else UNCLEAR
    if not source.name and name.strip("_") in READING:
        return UNWRITTEN
    operand = next((a for a in args if not isinstance(a, torch.Tensor)), None)
    return replace(transformed(name, source, operand, None), spelled=source.spelled)


def _is_all(index: Any) -> bool:
    """Whether an index stands for all elements: `w[:] = x`, `w[...] = x`, and `w[None] = x`."""
    return index is None or index is Ellipsis or (isinstance(index, slice) and index == slice(None))
