"""Functions known by name: what each does with abstract values, registered under its names."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from initlint.reading.classes import TRUSTED, UserClass, trusted_kind
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
from initlint.torchlib import catalog
from initlint.torchlib.creators import CREATORS

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


# Constants of Python's libraries that are the same wherever code runs.
_CONSTANTS = {"typing.TYPE_CHECKING": False, "typing_extensions.TYPE_CHECKING": False}
# Packages of torch's that hold functions, classes and modules, and nothing else.
_CALLABLE = ("torch.nn.", "torch.optim.", "torch.distributions.")


def is_callable(name: str) -> bool:
    """Whether this dotted name outside the files is known to be a function or a class.

    Any other name may be a constant, which may be true, false or None.
    """
    package, _, rest = name.partition(".")
    if package == "builtins":
        return callable(getattr(builtins, rest, None))
    if name in HANDLERS or name.startswith(_CALLABLE) or trusted_kind(name):
        return True
    last = name.rpartition(".")[2]
    is_known = catalog.operation_of_function(last) or catalog.activation_of_function(last)
    return package in TRUSTED and (last in CREATORS or is_known is not None)


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None where that is not known."""
    if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)):
        return bool(value)
    if isinstance(value, (Listing, Table)):
        return True if value.items else (None if value.open else False)
    if isinstance(value, Instance):
        return bool(members(value)) if value.torch in ("ModuleList", "Sequential") else True
    if isinstance(value, (UserClass, Function, Bound, Partial)):
        return True
    if isinstance(value, External):
        return True if is_callable(value.name) else _CONSTANTS.get(value.name)
    if isinstance(value, Choice):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    return None
