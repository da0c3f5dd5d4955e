"""From a model to its graph: torch.fx symbolic tracing, which needs no input."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import fx, nn

from initlint.records import InitlintError
from initlint.trace.build import described, where


class CaptureError(InitlintError):
    """A model's graph could not be had: one sentence that says why."""


class _Tracer(fx.Tracer):
    """Walks into every module but torch's own, whose names the catalogue knows."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = m.__module__.startswith(("torch.nn", "torch.ao.nn"))
        return own and not isinstance(m, (nn.Sequential, nn.ParameterList))


def capture(model: nn.Module, name: str) -> fx.Graph:
    """The graph of `model`'s forward; nodes name its modules and parameters.

    Optional arguments of forward keep their defaults. Raises CaptureError with the line at which
    forward raises, or at which it needs values that only a run would have.
    """
    tracer = _Tracer()
    try:
        return tracer.trace(model, concrete_args=_defaults(model))
    except Exception as error:
        raise CaptureError(_explained(error, name)) from error


def _defaults(model: nn.Module) -> dict[str, Any]:
    parameters = inspect.signature(model.forward).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and not isinstance(p.default, torch.Tensor)
    }


def _explained(error: Exception, name: str) -> str:
    """Whether forward itself is wrong, or only cannot be traced without an input."""
    place = where(error, name)
    # Python's own words for a name that does not exist; a Proxy in them means that fx lacks it.
    if isinstance(error, (AttributeError, NameError)) and "Proxy" not in str(error):
        return f"{place}: forward raises {described(error)}"
    return f"{place}: cannot be traced symbolically: {described(error)}"
