"""Models of which nobody knows the class before the code runs: what is done to them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from initlint.reading.abstract.holders import Bound, Function, Instance, Partial
from initlint.reading.abstract.values import UNKNOWN, Value
from initlint.reading.fills.filling import is_beside
from initlint.reading.reader import Reader
from initlint.torchlib.draws import ARGUMENTS, METHODS

# Of what is not known, a fill: nn.init's functions under their names, and tensors' own methods.
_FILLING = frozenset((*ARGUMENTS, *METHODS))
# What `apply` may be handed that is followed: the code of the files, and not one more stranger.
_CALLED = (Function, Bound, Partial, Instance)


def filled(reader: Reader, node: ast.AST | None) -> None:
    """Note that code fills a tensor of a stranger."""
    if reader.outside and not is_beside(node):
        reader.strangers.setdefault("", reader.site(node))


def asked(
    reader: Reader,
    name: str,
    args: Sequence[Value],
    node: ast.AST | None,
    call: Callable[..., Value],
) -> None:
    """Note that code calls a method of a stranger; `apply` calls what it is handed with one."""
    if not (reader.outside and name):
        return
    if name in _FILLING:
        filled(reader, node)
        return
    reader.strangers.setdefault(name, reader.site(node))
    if name == "apply" and args and isinstance(args[0], _CALLED):
        outer, known = reader.arms, "" in reader.strangers
        reader.arms = reader.new_arm()
        try:
            call(reader, args[0], [UNKNOWN], {}, node)
        finally:
            reader.arms = outer
        if not known and "" in reader.strangers:
            # The place to look at is where the model is filled, not how.
            reader.strangers[""] = reader.site(node)
