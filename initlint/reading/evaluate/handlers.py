"""Functions known by name: what each does with abstract values, registered under its names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from initlint.reading.abstract.values import Value
from initlint.reading.reader import Reader
from initlint.reading.sources.outside import KNOWN

Args = Sequence[Value]
Kwargs = Mapping[str, Value]
Handler = Callable[[Reader, Args, Kwargs, "ast.AST | None"], Value]
HANDLERS = KNOWN


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function as what calls of these names do."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register
