"""From a model to its graph: symbolic tracing, which needs no input, else a recorded run."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from initlint.records import InitlintError
from initlint.trace.build import described, where
from initlint.trace.inputs import Guesser
from initlint.trace.recorded import RunError, is_leaf, meta_twin, record

# Guesses at a model's inputs before giving up; each costs part of a run on meta tensors.
_TRIES = 30


class CaptureError(InitlintError):
    """A model's graph could not be had: one sentence that says why."""


class _Tracer(fx.Tracer):
    """Walks into every module but those of torch's own that the catalogue knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_leaf(m)


def capture(model: nn.Module, name: str, inputs: Sequence[Any] = ()) -> fx.Graph:
    """The graph of `model`'s forward; nodes name its modules and parameters.

    Symbolic tracing goes first: it needs no input. Where forward needs values or shapes, it is run
    once, on the meta device, else for real; `inputs` are used for that where given, and found out
    where not. The model is not changed. Raises CaptureError with the line at which forward raises.
    """
    try:
        return traced(model)
    except Exception as error:
        if _is_wrong(error):
            raise CaptureError(f"{where(error, name)}: forward raises {described(error)}") from error
    return _ran(model, name, inputs)


def traced(model: nn.Module) -> fx.Graph:
    """The graph by symbolic tracing; optional arguments of forward keep their defaults."""
    return _Tracer().trace(model, concrete_args=_defaults(model))


def _defaults(model: nn.Module) -> dict[str, Any]:
    parameters = inspect.signature(model.forward).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and not isinstance(p.default, torch.Tensor)
    }


def _is_wrong(error: Exception) -> bool:
    """Whether forward itself is wrong: a name that does not exist, and not on a Proxy."""
    return isinstance(error, (AttributeError, NameError)) and "Proxy" not in str(error)


def _ran(model: nn.Module, name: str, inputs: Sequence[Any]) -> fx.Graph:
    """The graph by a recorded run on a twin without memory, else on a copy with memory."""
    try:
        return _recorded(meta_twin(model), inputs, "meta")
    except RunError as on_meta:
        try:
            return _recorded(_real_copy(model), inputs, "cpu")
        except RunError as error:
            cause = on_meta.cause if "meta" not in str(on_meta.cause) else error.cause
            raise CaptureError(_explained(model, cause, name, inputs)) from error


def _real_copy(model: nn.Module) -> nn.Module:
    if any(parameter.is_meta for parameter in model.parameters()):
        return copy.deepcopy(model).to_empty(device="cpu")
    return copy.deepcopy(model)


def _recorded(model: nn.Module, inputs: Sequence[Any], device: str) -> fx.Graph:
    guesser = Guesser(model, inputs)
    for _ in range(_TRIES):
        args, kwargs = guesser.inputs(device)
        try:
            return record(model, args, kwargs)
        except RunError as error:
            last = error
            if not guesser.learn(error):
                break
    raise last


def _explained(model: nn.Module, cause: Exception, name: str, inputs: Sequence[Any]) -> str:
    hint = "" if inputs else f"; perhaps {Guesser(model).unguessed()}"
    return f"{where(cause, name)}: the run of forward ends in {described(cause)}{hint}"
