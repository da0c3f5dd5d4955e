"""The user's hooks on leaf modules, which may change the module's result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn


def is_hooked(module: nn.Module) -> bool:
    """Whether a call of `module` runs forward hooks that are not torch's own (weight norm, …)."""
    if isinstance(module, torch.jit.ScriptModule):
        return False
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    homes = [str(getattr(hook, "__module__", "")) for hook in hooks]
    return not all(home.startswith("torch.") for home in homes)


@contextlib.contextmanager
def forward_replaced(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """While it lasts, a call of `module` runs its hooks, and `forward` between them."""
    own = vars(module)
    before = {name: value for name, value in own.items() if name == "forward"}
    own["forward"] = forward
    try:
        yield
    finally:
        del own["forward"]
        own.update(before)
