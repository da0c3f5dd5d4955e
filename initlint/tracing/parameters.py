"""The tracing engine's ledger: the parameters and buffers of a model, its initialising calls."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from initlint.graph.ops import Graph
from initlint.records import Call, Draw, Initializer, Parameter, Site
from initlint.torchlib import catalog
from initlint.torchlib.draws import UNCLEAR, UNWRITTEN
from initlint.torchlib.gains import gain_use, is_norm
from initlint.torchlib.history import entries
from initlint.torchlib.parameters import kind_of
from initlint.tracing.build import Built
from initlint.tracing.frameworks import with_hooks
from initlint.tracing.loads import key_of
from initlint.tracing.measure import measured
from initlint.tracing.record import Noted
from initlint.tracing.unchanged import LAZY


def parameters_of(built: Built, graphs: Sequence[Graph]) -> tuple[Parameter, ...]:
    """Every name of every parameter and buffer of a model, in the order of its modules."""
    whole = [graph.touched for graph in graphs if graph.whole]
    touched = set().union(*whole) if whole else None
    written = {name for graph in graphs for name in graph.written}
    first: dict[int, str] = {}
    # A deep copy, and it alone, has the last draw of what it is a copy of.
    holding: dict[int, str] = {}
    found = []
    for name, module, tensor in _named(built.model):
        tied = first.setdefault(id(tensor), name)
        record = _record(built, name, module, tensor)
        if name in written:
            record = replace(record, history=(*record.history, _BY_FORWARD))
        is_used = None if touched is None else name in touched
        clone = _holder(built, tensor, name, holding) if tied == name else name
        told = (tied if tied != name else None, clone if clone != name else None)
        found.append(replace(record, used=is_used, tied_to=told[0], clone_of=told[1]))
    found = with_hooks(built.model, found)
    if touched is None:
        return tuple(found)
    used = {p.tied_to or p.name for p in found if p.used}
    return tuple(replace(p, used=_is_used(p, used)) for p in found)


def _holder(built: Built, tensor: torch.Tensor, name: str, holding: dict[int, str]) -> str:
    """The first name of a parameter that holds the very draw that this one holds."""
    draw = built.recorder.drawn(tensor) if built.recorder is not None else UNCLEAR
    is_known = isinstance(tensor, nn.Parameter) and draw is not UNWRITTEN and draw is not UNCLEAR
    return holding.setdefault(id(draw), name) if is_known else name


# Forward itself writes to a buffer: what it holds before may not matter.
_BY_FORWARD = Draw("", "unknown", by="user", certain=False)


def _is_used(parameter: Parameter, used: Collection[str]) -> bool | None:
    """Whether the graph takes in a tensor; what is computed of buffers alone is not there."""
    if (parameter.tied_to or parameter.name) in used:
        return True
    return None if parameter.kind == "buffer" else False


def _named(model: nn.Module) -> Iterator[tuple[str, nn.Module, torch.Tensor]]:
    """Every parameter and buffer under each of its names, with the module that holds it."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        for key, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield f"{prefix}.{key}" if prefix else key, module, tensor


def _record(built: Built, name: str, module: nn.Module, tensor: torch.Tensor) -> Parameter:
    key = name.rpartition(".")[2]
    is_buffer = key in module._buffers
    has_none = isinstance(tensor, LAZY) or tensor.is_nested
    shape = None if has_none else tuple(tensor.shape)
    own: Any = type(module)
    return Parameter(
        model=built.name,
        name=name,
        holder=type(module).__name__,
        kind="buffer" if is_buffer else kind_of(_layer(module), key),
        shape=shape,
        site=_site(built, module, tensor, key, is_buffer),
        trainable=tensor.requires_grad,
        history=_history(built, tensor, shape),
        padded=isinstance(module, nn.Embedding) and module.padding_idx is not None,
        eps=built.recorder.eps(module) if built.recorder is not None else None,
        multiplied=_multiplied(own, key) if not is_buffer else "",
        unwritten=built.recorder.missing(tensor) if built.recorder is not None else 0,
    )


@lru_cache(maxsize=1024)
def _multiplied(kind: Any, name: str) -> str:
    """How the forward of a norm of the user's multiplies with its gain."""
    if not is_norm(kind.__name__) or kind.__module__.startswith("torch."):
        return ""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind.forward)))
    except (OSError, TypeError, SyntaxError):
        return ""
    forward = tree.body[0] if tree.body else None
    is_method = isinstance(forward, (ast.FunctionDef, ast.AsyncFunctionDef))
    return gain_use(forward, name) if is_method and _layer_of(kind) == "" else ""


def _layer(module: nn.Module) -> str:
    """The class of torch's that a module is, or is derived from."""
    return _layer_of(type(module))


def _layer_of(kind: type[nn.Module]) -> str:
    kinds = [k.__name__ for k in kind.__mro__ if k.__module__.startswith("torch.nn.")]
    return next((k for k in kinds if catalog.operation_of_module(k) is not None), "")


def _site(
    built: Built, module: nn.Module, tensor: torch.Tensor, key: str, is_buffer: bool
) -> Site | None:
    """Where a layer of torch's was made, a buffer was registered, or a bare parameter was made."""
    recorder = built.recorder
    if recorder is None:
        return None
    if is_buffer:
        return recorder.made.buffer_site(module, key)
    if _layer(module):
        return recorder.made.module_site(module)
    return recorder.made.parameter_site(tensor) or recorder.made.module_site(module)


def _history(built: Built, tensor: torch.Tensor, shape: tuple[int, ...] | None) -> tuple[Draw, ...]:
    if built.recorder is not None:
        return entries(built.recorder.drawn(tensor), shape)
    return (_entry(measured(tensor, None)),)


def _entry(found: Initializer) -> Draw:
    """What a live tensor holds, whose past nobody has seen."""
    mean = found.mean if found.std is not None else None
    return Draw("", found.name, found.args, mean, found.std)


def calls_of(built: Built) -> tuple[Call, ...]:
    """The initialising calls that building a model has run, one for each line that makes some."""
    if built.recorder is None:
        return ()
    names: dict[int, str] = {}
    for name, _, tensor in _named(built.model):
        names.setdefault(key_of(tensor), name)
    computed = _computed(built.model)
    found: dict[object, Call] = {}
    for call in built.recorder.calls():
        target = names.get(key_of(call.tensor))
        failed = _failed(call, computed) if target is None or call.failure else ("", "")
        if target is None and not failed[0] and built.recorder.is_computed(call.tensor):
            failed = "recomputed", "a parametrization computes the weight anew at every use"
        key = (call.site, call.spelled, failed[0])
        before = found[key].targets if key in found else ()
        every = tuple(dict.fromkeys((*before, *([target] if target else []))))
        effect, reason = failed if failed[0] else ("wrote", "") if every else _WITHOUT
        found[key] = Call(
            built.name,
            call.spelled,
            call.resolved,
            call.site,
            call.within,
            every,
            effect,
            reason,
        )
    return tuple(found.values())


def _computed(model: nn.Module) -> set[int]:
    """The weights that weight_norm computes anew at every forward, by their ids."""
    holders = (m for m in model.modules() if "weight_g" in m._parameters)
    return {id(m.__dict__.get("weight")) for m in holders}


def _failed(call: Noted, computed: Collection[int]) -> tuple[str, str]:
    """What a call that fills no parameter certainly does instead, and why; empty if unknown."""
    if call.failure:
        return "raises", call.failure
    if id(call.tensor) in computed:
        return "recomputed", "weight_norm computes weight anew at every forward"
    return "", ""


_WITHOUT = ("discarded", "it fills a tensor that is no parameter")
