"""Parameters as torch's layers hold them: what kind each one is."""

from __future__ import annotations

from initlint.torchlib import catalog


def kind_of(layer: str, name: str) -> str:
    """Weight, bias, norm, table or bare: what a class of torch.nn holds under a bare name.

    `layer` is empty, Module or a container for a module of the user's own.
    """
    operation = catalog.operation_of_module(layer)
    role = operation.role if operation is not None else ""
    if role not in ("weighted", "norm"):
        return "bare"
    if "bias" in name:
        return "bias"
    if "weight" not in name:
        return "bare"
    if role == "norm":
        return "norm"
    return "table" if layer.startswith("Embedding") else "weight"
