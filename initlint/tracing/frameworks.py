"""Runs initialisation that frameworks skip on the meta device, to record it."""

from __future__ import annotations

from torch import nn


def initialize_passed_over(model: nn.Module) -> None:
    """Let the models of transformers in `model` initialise themselves.

    From version 5 on their constructors do so only where the default device is another one: on the
    meta device there is nothing to be seen of it. Whatever their `_init_weights` raises goes
    through.
    """
    if _is_of_transformers(model):
        model.initialize_weights()  # type: ignore[operator]
        return
    for child in model.children():
        initialize_passed_over(child)


def _is_of_transformers(module: nn.Module) -> bool:
    names = {kind.__name__ for kind in type(module).__mro__}
    return "PreTrainedModel" in names and hasattr(module, "initialize_weights")
