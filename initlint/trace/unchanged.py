"""A model as it was before forward was traced or run: attributes, modes, buffers, random state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

# Their entries are written in place, so that a copy of the reference alone would not do.
_TABLES = ("_parameters", "_buffers", "_modules")
LAZY = nn.parameter.UninitializedTensorMixin  # type: ignore[attr-defined]


@contextlib.contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Put everything back afterwards, also when forward raises; weights are never written."""
    modules = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    states = [(m, dict(vars(m)), [dict(vars(m)[table]) for table in _TABLES]) for m in modules]
    buffers = [(b, b.detach().clone()) for b in model.buffers() if not isinstance(b, LAZY)]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for module, attributes, tables in states:
                _put_back(vars(module), attributes)
                for name, table in zip(_TABLES, tables, strict=True):
                    _put_back(vars(module)[name], table)
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)


def _put_back(entries: dict[str, object], before: dict[str, object]) -> None:
    same = len(entries) == len(before)
    if not same or any(entries.get(name, entries) is not value for name, value in before.items()):
        entries.clear()
        entries.update(before)
