"""Operations that write into what they are given: whoever reads that value later reads theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from torch import fx, nn


def written_back(graph: fx.Graph, model: nn.Module) -> fx.Graph:
    """The graph in which every value is what the last operation that wrote into it has made of it.

    Symbolic tracing lets `F.relu(x, inplace=True)` as a statement lead nowhere: what comes after
    it still names the `x` of before. The order of the nodes is that in which they are executed.
    Values that only share memory with the written one (views) are left as they are.
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
    """Where among a function's arguments `inplace` stands."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    return names.index("inplace") if "inplace" in names else None
