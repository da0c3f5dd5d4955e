"""Checks for torch, which reading and fixing do not need."""

from __future__ import annotations

import os

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


def refuse_disguised(value: object) -> None:
    """Raise InitlintError for an object that breaks `isinstance`, which is asked of it everywhere.

    Its class makes a property of `__class__`, or its metaclass hides what all classes have.
    """
    found: object
    try:
        found = value.__class__
        isinstance(value, os.PathLike)
    except BaseException as error:
        # A property of the user's may raise anything, SystemExit too.
        found = error
    if not issubclass(type(found), type):
        # Without calling the user's metaclass.
        kind = type.__dict__["__name__"].__get__(type(value))
        raise InitlintError(
            f"{kind}: its class breaks isinstance(), so it cannot be told what it is"
        )
