"""Checks for torch, which reading and fixing do not need."""

from __future__ import annotations

from initlint.extras import missing
from initlint.records import InitlintError


def need_installed(what: str) -> None:
    """Raise InitlintError where torch is not installed, without importing it."""
    from importlib.util import find_spec

    try:
        found = find_spec("torch")
    except ImportError:
        found = None
    if found is None:
        raise missing(what, "torch")


def need_torch(what: str) -> None:
    """Raise InitlintError if torch cannot be imported; `what` is the task that needs it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            raise missing(what, "torch") from error
        raise InitlintError(f"{what} needs torch, which cannot be imported: {error}") from error
