"""Measures the signal in one run of a model in training mode: each result of a weight, and back."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from initlint.fill.means import is_weighted_call
from initlint.fill.probes import Probes
from initlint.torchlib import catalog
from initlint.tracing.recorded import is_leaf, tensors_in
from initlint.tracing.weights import weights_of_module


class Uses:
    """By the first name of each parameter: the rms of each result, and of the gradient there."""

    def __init__(self, model: nn.Module) -> None:
        self._names: dict[int, str] = {}
        self._aliases: dict[str, str] = {}
        for name, tensor in model.named_parameters(remove_duplicate=False):
            self._aliases[name] = self._names.setdefault(id(tensor), name)
        self._found: dict[str, list[list[float | None]]] = {}

    def first_name(self, parameter: str) -> str:
        """The first of the names of a parameter."""
        return self._aliases.get(parameter, parameter)

    def of(self, parameter: str) -> list[list[float | None]]:
        """The uses of a parameter, in the order of the run: result and gradient."""
        return self._found.get(self.first_name(parameter), [])

    def name(self, tensor: Any) -> str:
        """The name of a parameter; empty for any other value."""
        return self._names.get(id(tensor), "")

    def note(self, parameter: str, result: Any) -> None:
        """Note a result, and its gradient as soon as there is one."""
        tensor = next(tensors_in([result]), None)
        if tensor is None or not tensor.is_floating_point():
            return
        noted: list[float | None] = [_rms(tensor), None]
        self._found.setdefault(self.first_name(parameter), []).append(noted)
        if tensor.requires_grad:
            tensor.register_hook(functools.partial(_note_gradient, noted))  # type: ignore[no-untyped-call]


def _note_gradient(noted: list[float | None], gradient: torch.Tensor) -> None:
    noted[1] = _rms(gradient)


def _rms(tensor: torch.Tensor) -> float:
    return float(tensor.detach().double().square().mean().sqrt())


def measured(model: nn.Module, probes: Probes) -> Uses:
    """Run `model` forward and backward; the loss is a random projection of its results.

    The model's buffers, gradients and hooks change: it must be a copy.
    """
    uses = Uses(model)
    torch.manual_seed(probes.seed)
    with torch.enable_grad(), _noted(model, uses):
        for parameter in model.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        model.train()
        result = model(*probes.args, **probes.kwargs)
        results = [t for t in tensors_in([result]) if t.requires_grad and t.is_floating_point()]
    total = sum((out.float() * probes.signs(out)).sum() for out in results)
    if isinstance(total, torch.Tensor):
        total.backward()  # type: ignore[no-untyped-call]
    return uses


@contextlib.contextmanager
def _noted(model: nn.Module, uses: Uses) -> Iterator[None]:
    """A context in which every weighted operation of a run is noted."""
    calls = _Calls(uses)
    hooks = []
    for name, module in model.named_modules():
        weights = weights_of_module(name, module) if _is_weighted(module) else ()
        if weights:
            hooks.append(module.register_forward_pre_hook(calls.enter))
            leave = functools.partial(calls.leave, weights[0].parameter)
            hooks.append(module.register_forward_hook(leave, prepend=True))
    try:
        with calls:
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_weighted(module: nn.Module) -> bool:
    operation = catalog.operation_of_module(type(module).__name__)
    return is_leaf(module) and operation is not None and operation.role == "weighted"


class _Calls(TorchFunctionMode):
    """Notes what functions make of parameters, but for those that torch's own layers call."""

    def __init__(self, uses: Uses) -> None:
        super().__init__()
        self._uses = uses
        self._inside = 0
        # Values that are computed from one parameter alone: `weight.t()`. They are kept, so that
        # no id is given away twice.
        self._views: dict[int, tuple[torch.Tensor, str]] = {}

    def enter(self, module: nn.Module, args: Any) -> None:
        """A layer of torch's begins."""
        self._inside += 1

    def leave(self, parameter: str, module: nn.Module, args: Any, result: Any) -> None:
        """A layer of torch's ends with a result."""
        self._inside -= 1
        if not self._inside:
            self._uses.note(parameter, result)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = dict(kwargs or {})
        result = func(*args, **keywords)
        if self._inside:
            return result
        tensors = list(tensors_in([*args, *keywords.values()]))
        names = [self._name(tensor) for tensor in tensors]
        if _multiplies(func) and any(names):
            for name in filter(None, names):
                self._uses.note(name, result)
        elif names and all(names) and len(set(names)) == 1 and isinstance(result, torch.Tensor):
            self._views[id(result)] = result, names[0]
        return result

    def _name(self, tensor: torch.Tensor) -> str:
        found = self._views.get(id(tensor))
        return found[1] if found is not None else self._uses.name(tensor)


def _multiplies(func: Callable[..., Any]) -> bool:
    name = str(getattr(func, "__name__", ""))
    operation = catalog.operation_of_function(name)
    return is_weighted_call(func) or (operation is not None and operation.role == "weighted")
