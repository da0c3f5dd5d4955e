"""In-place operations: later readers of a value are rewired to the operation that last wrote it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from torch import fx, nn


def written_back(graph: fx.Graph, model: nn.Module) -> fx.Graph:
    """The graph, changed so that later readers of a value read the result of its last writer.

    In a symbolic trace, the result of the statement `F.relu(x, inplace=True)` is not used: the
    operations after it still read the old `x`. Nodes are in the order of execution. Views, which
    only share memory with the written value, stay as they are.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    order = {node: place for place, node in enumerate(graph.nodes)}
    for node, place in order.items():
        written = _written(node, modules)
        if written is None:
            continue
        for user in list(written.users):
            if order[user] > place:
                user.replace_input_with(written, node)
    return graph


def _written(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node | None:
    """The value that an operation overwrites with its result, if it does."""
    first = next(iter((*node.args, *node.kwargs.values())), None)
    if not isinstance(first, fx.Node):
        return None
    if node.op == "call_module":
        in_place = getattr(modules.get(str(node.target)), "inplace", False) is True
    elif node.op == "call_method":
        in_place = _says_so(str(node.target))
    else:
        in_place = node.op == "call_function" and _is_in_place(node)
    return first if in_place else None


def _is_in_place(node: fx.Node) -> bool:
    function: Any = node.target
    # and_, or_ and not_ are named so for another reason.
    if getattr(function, "__module__", None) == "_operator":
        return False
    if _says_so(str(getattr(function, "__name__", ""))):
        return True
    if "inplace" in node.kwargs:
        return node.kwargs["inplace"] is True
    place = _place_of_option(function)
    return place is not None and place < len(node.args) and node.args[place] is True


def _says_so(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


@cache
def _place_of_option(function: Callable[..., Any]) -> int | None:
    """The index of the parameter `inplace` of a function; None if it has none."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    return names.index("inplace") if "inplace" in names else None
