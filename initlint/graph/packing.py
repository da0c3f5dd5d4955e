"""Weights that hold several matrices one below another: gates of a cell, or q, k and v."""

from __future__ import annotations

from initlint.graph.steps import Node, Steps

# Matrices in one parameter of torch's own layers, by the class and the parameter's name.
_GATES = {"LSTM": 4, "GRU": 3}
_ATTENTION = ("MultiheadAttention", "in_proj_weight")
# Roles that leave every part of a result where it is.
_KEEPING = ("shape", "scale", "dropout", "merge_add")
# Functions that cut a value into parts, which are then taken by their index.
_CUTTING = ("chunk", "unsafe_chunk", "unbind", "tensor_split", "hsplit", "vsplit", "dsplit")
_SPLITTING = ("split", "unsafe_split", "split_with_sizes")
_TAKING = ("getitem", "select")


def packed_in(kind: str, name: str) -> int:
    """The number of matrices in the parameter `name` of a layer of torch's class `kind`."""
    if kind == _ATTENTION[0]:
        return 3 if name == _ATTENTION[1] else 1
    return _GATES.get(kind.removesuffix("Cell"), 1) if name.startswith("weight_") else 1


def packings(steps: Steps) -> dict[Node, int]:
    """The weighted nodes whose result is cut into equal parts: with the number of parts."""
    taken: dict[Node, set[int]] = {}
    for step in steps.values():
        if step.name in _TAKING and len(step.inputs) == 1:
            index = step.args.get("index")
            if isinstance(index, int):
                taken.setdefault(step.inputs[0], set()).add(index)
    found: dict[Node, int] = {}
    for node, indices in taken.items():
        count = _parts(steps, node, indices)
        if count > 1:
            found.update(dict.fromkeys(_sources(steps, node), count))
    return found


def _parts(steps: Steps, node: Node, indices: set[int]) -> int:
    """The number of equal parts of a value, of which those with these indices are taken."""
    step = steps[node]
    if step.name in _SPLITTING and not step.args.get("equal"):
        return 1
    if step.role not in _KEEPING or len(indices) < 2:
        return 1
    number = step.args.get("chunks")
    return number if isinstance(number, int) else len(indices)


def _sources(steps: Steps, node: Node) -> list[Node]:
    """The weighted nodes whose result, perhaps added to others and reshaped, a value is."""
    found, waiting, seen = [], [node], {node}
    while waiting:
        step = steps[waiting[-1]]
        here = waiting.pop()
        if step.role == "weighted":
            found.append(here)
        elif step.role in _KEEPING and step.name not in _TAKING:
            waiting += [value for value in step.inputs if value not in seen]
            seen.update(step.inputs)
    return found
