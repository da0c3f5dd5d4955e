"""Parts that a forward never calls (towers, auxiliary heads), each captured on its own."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence

from torch import nn

from initlint.graph.ops import Graph
from initlint.torchlib import catalog
from initlint.tracing.capture import CaptureError, capture, prefixed
from initlint.tracing.recorded import RunError, is_leaf
from initlint.tracing.steps import operations
from initlint.tracing.unchanged import LAZY

# Seconds of processor time after which no further part is tried.
_PATIENCE = 15.0


def has_forward(module: nn.Module) -> bool:
    """Whether a module can be called at all: lists of modules, for one, cannot."""
    return getattr(module.forward, "__name__", "") != "_forward_unimplemented"


def is_unimplemented(error: BaseException | None) -> bool:
    """Whether a run ended as forward itself raises NotImplementedError, at the model's own level.

    A forward that only calls that of its base classes leads to torch's, which raises it.
    """
    cause = error.cause if isinstance(error, RunError) else error
    if not isinstance(cause, NotImplementedError) or cause.__traceback__ is None:
        return False
    names = [frame.f_code.co_name for frame, _ in traceback.walk_tb(cause.__traceback__)]
    # Of a part of the model that lacks its forward, the call is a second one.
    if names.count("_call_impl") != 1:
        return False
    return set(names[names.index("_call_impl") + 1 :]) <= {"forward", "_forward_unimplemented"}


def islands(model: nn.Module, name: str, graphs: Sequence[Graph]) -> Iterator[Graph]:
    """The graphs of the largest submodules of `model` whose weights no graph uses."""
    tensors = dict(model.named_parameters(remove_duplicate=False))
    used = {
        id(tensors[weight.parameter])
        for graph in graphs
        for op in graph.nodes
        for weight in op.weights
        if weight.parameter in tensors
    }
    deadline = time.thread_time() + _PATIENCE
    for prefix, part in _parts("", model, used):
        if time.thread_time() > deadline:
            return
        yield from _captured(model, f"{name}.{prefix}", prefix, part, used)


def _parts(prefix: str, module: nn.Module, used: set[int]) -> Iterator[tuple[str, nn.Module]]:
    """The largest modules that can be called and hold weights, but none that is used."""
    weights = {
        id(parameter)
        for layer in module.modules()
        if _is_weighted(layer)
        for parameter in layer.parameters(recurse=False)
        if isinstance(parameter, LAZY) or parameter.dim() > 1
    }
    if not weights - used or is_leaf(module):
        return
    if prefix and not weights & used and has_forward(module):
        yield prefix, module
        return
    for name, child in module.named_children():
        yield from _parts(f"{prefix}.{name}" if prefix else name, child, used)


def _is_weighted(layer: nn.Module) -> bool:
    operations = (catalog.operation_of_module(kind.__name__) for kind in type(layer).__mro__)
    return any(operation.role == "weighted" for operation in operations if operation is not None)


def _captured(
    model: nn.Module, name: str, prefix: str, part: nn.Module, used: set[int]
) -> Iterator[Graph]:
    """The graph of a submodule; if it cannot be captured, those of its own submodules."""
    try:
        captured = capture(part, name)
    except CaptureError:
        for child, module in part.named_children():
            for inner, found in _parts(f"{prefix}.{child}", module, used):
                yield from _captured(model, name, inner, found, used)
        return
    yield operations(prefixed(captured.graph, f"{prefix}."), model, whole=False)
