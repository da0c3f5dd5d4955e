"""Runs initialisation that frameworks skip on the meta device, to record it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlint.records import Parameter

_BASE = "PreTrainedModel"
_HOOK = "_init_weights"
_DONE = "_is_hf_initialized"


@contextlib.contextmanager
def initialized_when_made() -> Iterator[None]:
    """A context in which models of transformers initialise themselves on the meta device, too.

    From version 5 on their constructors do so only where the default device is another one. Each
    model does it when it is made, as on another device: a holder may keep parts of it only, which
    its own hook then passes over.
    """
    base: Any = getattr(sys.modules.get("transformers.modeling_utils"), _BASE, None)
    if not hasattr(base, "initialize_weights"):
        yield
        return
    own = base.init_weights

    def init_weights(self: nn.Module) -> None:
        self.initialize_weights()  # type: ignore[operator]
        own(self)

    base.init_weights = init_weights
    try:
        yield
    finally:
        base.init_weights = own


def initialize_passed_over(model: nn.Module, is_new: bool = False) -> None:
    """Let the models of transformers in `model` initialise themselves if they have not yet.

    Whatever their `_init_weights` raises goes through. If a model `is_new`, it has not done so only
    where it was made without `initialized_when_made` (a factory imports transformers), and its
    tensors that have memory all the same (`torch.FloatTensor(2)`) are initialised, too, unless
    transformers has marked them (loaded weights).
    """
    if is_new and _is_pretrained(model) and vars(model).get(_DONE):
        return
    if _is_of_transformers(model):
        with _untied(model), _unmarked(model, is_new):
            model.initialize_weights()  # type: ignore[operator]
        return
    for child in model.children():
        initialize_passed_over(child, is_new)


@contextlib.contextmanager
def _untied(model: nn.Module) -> Iterator[None]:
    """A context in which tied heads have weights of their own.

    Elsewhere the models of transformers tie them after they have initialised themselves, so that
    what they draw for a head is lost; on the meta device they are tied already.
    """
    targets = getattr(model, "all_tied_weights_keys", None)
    tied = []
    for target in targets if isinstance(targets, dict) else ():
        holder, _, name = str(target).rpartition(".")
        table = vars(model.get_submodule(holder))["_parameters"]
        if table.get(name) is not None:
            tied.append((table, name, table[name]))
            table[name] = nn.Parameter(torch.empty_like(table[name]), table[name].requires_grad)
    try:
        yield
    finally:
        for table, name, parameter in tied:
            table[name] = parameter


@contextlib.contextmanager
def _unmarked(model: nn.Module, is_new: bool) -> Iterator[None]:
    """A context in which those tensors are marked as initialised that have memory, and no others.

    Those of a model that is new keep the marks that they have.
    What accelerate moves to the meta device was initialised before, and its values are lost.
    """
    tensors = (*model.parameters(), *model.buffers())
    there = [tensor for tensor in tensors if not tensor.is_meta]
    others = [tensor for tensor in tensors if tensor.is_meta or not is_new]
    tables = [*map(vars, model.modules()), *map(vars, others)]
    marks = [table.pop(_DONE, None) for table in tables]
    held = [] if is_new else list(map(vars, there))
    for table in held:
        table[_DONE] = True
    try:
        yield
    finally:
        for table in held:
            del table[_DONE]
        for table, mark in zip(tables, marks, strict=True):
            if mark is not None:
                table[_DONE] = mark


def with_hooks(model: nn.Module, parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters, with what the hook of the model that holds them does with each.

    What a function has filled that the hook may have called is neither covered nor missed. Where
    the hook has filled nothing, it was not called.
    """
    prefixes = [name for name, part in model.named_modules() if _is_pretrained(part)]
    prefixes = [f"{name}." if name else "" for name in prefixes]
    found = []
    for each in parameters:
        within = {draw.through for draw in each.history}
        hook = ""
        if each.name.startswith(tuple(prefixes)):
            hook = "covered" if _HOOK in within else "" if within - {"", "__init__"} else "missed"
        found.append(replace(each, hook=hook))
    if any(each.hook == "covered" for each in found):
        return found
    return list(parameters)


def _is_pretrained(module: nn.Module) -> bool:
    return _BASE in {kind.__name__ for kind in type(module).__mro__}


def _is_of_transformers(module: nn.Module) -> bool:
    return _is_pretrained(module) and hasattr(module, "initialize_weights")
