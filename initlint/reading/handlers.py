"""Functions known by name: what each does with abstract values, registered under its names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from initlint.reading.classes import UserClass
from initlint.reading.modules import members
from initlint.reading.values import (
    Bound,
    Choice,
    External,
    Function,
    Instance,
    Listing,
    Partial,
    Table,
    Value,
)

if TYPE_CHECKING:
    from initlint.reading.builtins import Builtins

Args = Sequence[Value]
Kwargs = Mapping[str, Value]
Handler = Callable[["Builtins", Args, Kwargs, "ast.AST | None"], Value]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function as what calls of these names do."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None where that is not known."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)):
        return bool(value)
    if isinstance(value, (Listing, Table)):
        return True if value.items else (None if value.open else False)
    if isinstance(value, Instance):
        return bool(members(value)) if value.torch in ("ModuleList", "Sequential") else True
    if isinstance(value, (UserClass, Function, External, Bound, Partial)):
        return True
    if isinstance(value, Choice):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    return None
