"""Sharded models as they were before: a twin on the meta device, to be traced in their place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from initlint.fill.shards import bare_name, flat_parts, is_fsdp1
from initlint.records import InitlintError

Shape = tuple[int, ...]
# Attributes by which fully_shard finds its state, which holds the sharded modules.
_STATES = "__composable_api_state_key"


def traceable(model: nn.Module) -> nn.Module:
    """`model` itself; where its parameters are sharded or parts are compiled, a plain twin of it.

    The twin's parameters are whole ones on the meta device, under the same names; it shares
    everything else but hooks, which gather and scatter, and compiled code. Wrappers that hold the
    model as a part stay, but for FSDP1's, in whose place stands what they hold.
    """
    if not is_sharded(model) and not any(map(_is_compiled, list(model.modules())[1:])):
        return model
    return _twin(model, {}, {key: part.shape for key, part in flat_parts(model)})


def twin_of(model: nn.Module, originals: Mapping[str, torch.Tensor]) -> nn.Module:
    """A twin of a model that was sharded, on the parameters and buffers that it had before.

    `originals` has them by name, without the names of wrappers. Raises InitlintError for one that
    the model did not have.
    """
    known: dict[int, Any] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if bare_name(name) not in originals:
            raise InitlintError(f"shard makes {name}, which the model did not have before")
        known[id(tensor)] = originals[bare_name(name)]
    return _twin(model, known, {})


def is_sharded(model: nn.Module) -> bool:
    """Whether this process holds but parts of the parameters, or holds them in wrappers."""
    if not torch.distributed.is_available():
        return False
    from torch.distributed.tensor import DTensor

    parts = any(isinstance(value.data, DTensor) for value in model.parameters())
    return parts or any(is_fsdp1(module) for module in model.modules())


def _twin(module: nn.Module, known: dict[int, Any], shapes: Mapping[int, Shape]) -> nn.Module:
    while is_fsdp1(module):
        module = module._fsdp_wrapped_module  # type: ignore[assignment]
    if id(module) in known:
        found: nn.Module = known[id(module)]
        return found
    kind = _bare_class(type(module))
    twin = kind.__new__(kind)
    known[id(module)] = twin
    # Compiled code, and torch.compile's wrapper, hold the module that was compiled.
    twin.__dict__.update(nn.Module().__dict__)
    twin.__dict__.update({} if kind is _Uncompiled else module.__dict__)
    twin.__dict__["_compiled_call_impl"] = None
    for name in vars(module):
        if name.endswith("_hooks") or "_hooks_" in name:
            twin.__dict__[name] = OrderedDict()
        elif name.startswith(_STATES):
            twin.__dict__.pop(name, None)
    for table in ("_parameters", "_buffers"):
        entries = vars(module)[table].items()
        setattr(twin, table, {name: _meta(value, known, shapes) for name, value in entries})
        for name in vars(module)[table]:
            # FSDP1 puts the tensors of a run in the place of parameters, as plain attributes.
            twin.__dict__.pop(name, None)
    twin._modules = {
        # A compiled module asks the one inside for its length to be true.
        key: None if part is None else _twin(part, known, shapes)
        for key, part in module._modules.items()
    }
    return twin


def as_written(model: nn.Module) -> AbstractContextManager[object]:
    """A context in which compiled parts of a model run their Python code."""
    compiled = any(_is_compiled(m) or m._compiled_call_impl is not None for m in model.modules())
    # To ask torch's compiler imports it, which takes a second.
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


class _Uncompiled(nn.Module):
    """Calls the module inside, in the place of the wrapper that `torch.compile` gives."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        inner: Any = self._orig_mod
        return inner(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """An attribute of the module inside, as the wrapper gives it (`block.init_weights`)."""
        inner = vars(self).get("_modules", {}).get("_orig_mod")
        if inner is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        return inner if name == "_orig_mod" else getattr(inner, name)


def _is_compiled(module: nn.Module) -> bool:
    """Whether a module is a wrapper of torch.compile's; told by name, as its import is slow."""
    return any(kind.__name__ == "OptimizedModule" for kind in type(module).__mro__)


def _bare_class(kind: type[nn.Module]) -> type[nn.Module]:
    """The class that a module was of before `fully_shard` or `torch.compile` wrapped it."""
    if any(base.__name__ == "OptimizedModule" for base in kind.__mro__):
        return _Uncompiled
    if not torch.distributed.is_available():
        return kind
    from torch.distributed.fsdp import FSDPModule

    if not issubclass(kind, FSDPModule):
        return kind
    bases = [base for base in kind.__mro__ if issubclass(base, nn.Module)]
    return next(base for base in bases if not issubclass(base, FSDPModule))


def _meta(value: Any, known: dict[int, Any], shapes: Mapping[int, Shape]) -> Any:
    """A tensor of the full shape without storage, the same one for the same tensor."""
    if value is None:
        return None
    if id(value) not in known:
        shape = shapes.get(id(value), value.shape)
        empty = torch.empty(shape, dtype=value.dtype, device="meta")
        is_parameter = isinstance(value, nn.Parameter)
        known[id(value)] = nn.Parameter(empty, value.requires_grad) if is_parameter else empty
    return known[id(value)]
