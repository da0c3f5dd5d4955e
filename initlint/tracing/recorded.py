"""The recorded run: one forward whose every torch function becomes a node of an fx.Graph."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

from initlint.torchlib import catalog
from initlint.tracing.foreign import contained, text_of
from initlint.tracing.hooks import forward_replaced, is_hooked
from initlint.tracing.quick import called, known_result
from initlint.tracing.unchanged import LAZY, unchanged


class RunError(Exception):
    """A run that ended in an exception: `cause`, and the leaf module that raised it, if one did.

    `shapes` are those of the module's tensor arguments; `placeholder` is the index of the model's
    input that reached it unchanged; `progress` is the number of operations recorded before.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(text_of(cause))
        self.cause = cause
        self.layer: nn.Module | None = None
        self.shapes: list[tuple[int, ...]] = []
        self.placeholder: int | None = None
        self.progress = 0


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one of torch's own that the catalogue knows, and stays one node."""
    kind = type(module)
    if not kind.__module__.startswith(("torch.nn", "torch.ao.nn")):
        return False
    name = kind.__name__
    return bool(catalog.activation_of_module(name) or catalog.operation_of_module(name))


def record(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], supposing: bool = False
) -> fx.Graph:
    """Run `model` once, in eval mode and without gradients, and return the graph of its operations.

    Nodes name modules and parameters as symbolic tracing does. Raises RunError for any exception of
    forward. The model's mode, buffers and random state are restored in any case. With `supposing`,
    a meta tensor that is asked for its value answers with one.
    """
    recording = _Recording(model, supposing)
    recording.note_inputs(args, kwargs)
    with _evaluating(model), _eagerly(), torch.no_grad(), _calls_noted(recording), recording:
        try:
            with contained():
                result = model(*args, **kwargs)
        except Exception as error:
            raise recording.failed(error) from error
    recording.note_output(result)
    return recording.graph


def meta_twin(model: nn.Module) -> nn.Module:
    """A copy of `model` on the meta device that takes no memory; ties between weights are kept."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for tensor in tensors_in(list(vars(module).values()), depth=2):
            if id(tensor) not in memo:
                memo[id(tensor)] = _meta(tensor)
    return copy.deepcopy(model, memo)


def _meta(tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(tensor, LAZY):
        lazy: torch.Tensor = type(tensor)(device="meta", dtype=tensor.dtype)
        return lazy
    empty = torch.empty_like(tensor.detach(), device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


class _Recording(TorchFunctionMode):
    """Adds nodes while a forward runs; tensors are identified by their ids.

    Every tensor is kept until the end, so that no id is reused.
    """

    def __init__(self, model: nn.Module, supposing: bool) -> None:
        super().__init__()
        self._supposing = supposing
        self.graph = fx.Graph()
        self.inside = 0
        self.modules = {id(module): name for name, module in model.named_modules()}
        self._model = model
        self._nodes: dict[int, fx.Node] = {}
        self._alive: list[Any] = []
        self._names = {id(buffer): name for name, buffer in model.named_buffers()}
        self._constants = 0
        self._failed: tuple[nn.Module, list[torch.Tensor]] | None = None

    def note_inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Make every tensor among the inputs a placeholder."""
        for index, tensor in enumerate(tensors_in([*args, *kwargs.values()])):
            self._bind(tensor, self.graph.create_node("placeholder", f"input_{index}"))

    def note_output(self, result: Any) -> None:
        """Make every tensor of the result an output."""
        found = [self._nodes[id(t)] for t in tensors_in([result]) if id(t) in self._nodes]
        self.graph.create_node("output", "output", (found,))

    def note_failure(self, module: nn.Module, args: Any) -> None:
        """Remember the leaf module in which the run ended."""
        if self._failed is None:
            self._failed = module, list(tensors_in([args]))

    def failed(self, cause: Exception) -> RunError:
        """The run's exception, with where it came from."""
        error = RunError(cause)
        error.progress = len(self._alive)
        if self._failed is not None:
            error.layer, tensors = self._failed
            error.shapes = [tuple(tensor.shape) for tensor in tensors]
            nodes = [self._nodes.get(id(tensor)) for tensor in tensors]
            inputs = [n for n in nodes if n is not None and n.op == "placeholder"]
            error.placeholder = (
                int(str(inputs[0].target).removeprefix("input_")) if inputs else None
            )
        return error

    def note_call(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Record the call of a leaf module."""
        node = self.graph.create_node(
            "call_module", name, self._lowered(args), self._lowered(kwargs)
        )
        self._bind_all(result, node)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        quick = known_result(name, args, keywords)
        if self.inside:
            return func(*args, **keywords) if quick is None else quick
        if name in _QUESTIONS and args[0].is_meta and (self._supposing or name == "__bool__"):
            return self._supposed(name, args[0])
        result = called(func, name, args, keywords) if quick is None else quick
        written = args[0] if name == "__setitem__" else result
        if next(tensors_in([written], depth=3), None) is not None:
            lowered = self._lowered(args), self._lowered(keywords)
            self._bind_all(written, self.graph.create_node("call_function", func, *lowered))
        return result

    def _supposed(self, name: str, asked: torch.Tensor) -> Any:
        """The assumed answer to a question about values, which meta tensors do not have.

        Models ask, for example, whether all of a mask is set (assume yes), whether sequences are
        unpacked (yes), or whether any number has overflowed (no): most take the usual branch then.
        """
        if name == "__bool__":
            node = self._nodes.get(id(asked))
            return node is None or getattr(node.target, "__name__", "") != "any"
        if name == "tolist":
            return torch.ones(asked.shape, dtype=asked.dtype, device="cpu").tolist()
        return float(1) if name == "__float__" or asked.is_floating_point() else 1

    def _bind(self, tensor: torch.Tensor, node: fx.Node) -> None:
        self._nodes[id(tensor)] = node
        self._alive.append(tensor)
        node.meta["shape"] = None if isinstance(tensor, LAZY) else tuple(tensor.shape)

    def _bind_all(self, result: Any, node: fx.Node) -> None:
        if isinstance(result, torch.Tensor):
            self._bind(result, node)
            return
        for index, tensor in enumerate(tensors_in([result])):
            item = self.graph.create_node("call_function", _part, (node, index))
            self._bind(tensor, item)

    def _lowered(self, value: Any) -> Any:
        """An argument with nodes for its tensors."""
        if isinstance(value, torch.Tensor):
            return self._node(value)
        if isinstance(value, (list, tuple)):
            return tuple(self._lowered(item) for item in value)
        if isinstance(value, Mapping):
            return {str(key): self._lowered(item) for key, item in value.items()}
        if isinstance(value, slice):
            return slice(*map(self._lowered, (value.start, value.stop, value.step)))
        return value

    def _node(self, tensor: torch.Tensor) -> fx.Node:
        node = self._nodes.get(id(tensor))
        if node is None:
            node = self.graph.create_node("get_attr", self._name(tensor))
            self._bind(tensor, node)
        return node

    def _name(self, tensor: torch.Tensor) -> str:
        """A parameter or buffer by its name in the model, read when it is first used: lazy modules
        make theirs during the run, and a run is given copies of the buffers."""
        if id(tensor) not in self._names:
            is_parameter = isinstance(tensor, nn.Parameter)
            model = self._model
            held = model.named_parameters() if is_parameter else model.named_buffers()
            self._names.update({id(t): name for name, t in held})
        if id(tensor) in self._names:
            return self._names[id(tensor)]
        self._constants += 1
        return f"_constant_{self._constants}"


_QUESTIONS = {"__bool__", "__int__", "__float__", "__index__", "item", "tolist"}


def _part(values: Any, index: int) -> Any:
    """One tensor of a result with several: a getitem node."""
    return values[index]


_part.__name__, _part.__module__ = "getitem", "_operator"


@contextlib.contextmanager
def _calls_noted(recording: _Recording) -> Iterator[None]:
    """A context in which the call of a leaf module is one node, and its inside is not recorded.

    The user's hooks on the module are recorded.
    """
    original = nn.Module.__call__

    def noted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        name = recording.modules.get(id(module))
        opaque = isinstance(module, torch.jit.ScriptModule)
        if recording.inside or name is None or not (opaque or is_leaf(module)):
            return original(module, *args, **kwargs)
        if not is_hooked(module):
            call = functools.partial(original, module)
            return _noted_call(recording, name, module, call, args, kwargs)
        forward = module.forward

        def between(*args: Any, **kwargs: Any) -> Any:
            return _noted_call(recording, name, module, forward, args, kwargs)

        with forward_replaced(module, between):
            return original(module, *args, **kwargs)

    nn.Module.__call__ = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]


def _noted_call(
    recording: _Recording,
    name: str,
    module: nn.Module,
    call: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    recording.inside += 1
    try:
        result = call(*args, **kwargs)
    except BaseException:
        recording.note_failure(module, (args, kwargs))
        raise
    finally:
        recording.inside -= 1
    recording.note_call(name, args, kwargs, result)
    return result


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    """Compiled parts run as they were written, and the fused forms of torch's own are not taken."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # To import the compiler takes a second, and without it nothing has been compiled.
        if "torch._dynamo" in sys.modules:
            with torch.compiler.set_stance("force_eager"):
                yield
        else:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for the run; afterwards the model is as it was."""
    with unchanged(model):
        for module in model.modules():
            module.training = False
        yield


def tensors_in(values: Sequence[Any], depth: int = 6) -> Iterator[torch.Tensor]:
    """All tensors in nested sequences, mappings, dataclasses and simple objects, in order."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif depth and isinstance(value, Mapping):
            yield from tensors_in(list(value.values()), depth - 1)
        elif depth and isinstance(value, (list, tuple)):
            yield from tensors_in(value, depth - 1)
        elif depth and dataclasses.is_dataclass(value) and not isinstance(value, type):
            # One with slots (a described input) has no table of its attributes.
            yield from tensors_in(list(getattr(value, "__dict__", {}).values()), depth - 1)
