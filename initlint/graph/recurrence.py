"""Finds recurrent weights, and weights whose result is added to that of a recurrent one."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from initlint.graph.steps import Node, Steps, Weight

STATE, INPUT = "state", "input"
# Roles that are looked through on the way to a sum of two streams.
_THROUGH = ("shape", "dropout", "scale", "pool", "merge_add", "merge_cat", "choice")


def recurrent_part(name: str) -> str:
    """`input` for `weight_ih` of torch's recurrent layers and cells, else `state`."""
    return INPUT if "_ih" in name else STATE


class Recurrences(NamedTuple):
    """The recurrences of a graph.

    `again` maps each node to those of its weights that were used before on the way to it. `joins`
    maps each node whose result is added to that of a recurrent weight, before any nonlinear
    operation, to that weight's `Weight.parameter`.
    """

    again: dict[Node, frozenset[object]]
    joins: dict[Node, str]


def recurrences(steps: Steps) -> Recurrences:
    """The weights of a graph that are used again on a value computed from their own result."""
    again = _again(steps)
    fixed = {
        node
        for node, step in steps.items()
        if any(w.recurrent == STATE and not w.following for w in step.weights)
    }
    return Recurrences(again, _joins(steps, fixed | set(again)) if again or fixed else {})


def identity(weight: Weight) -> object:
    """A key that two uses of one weight share if they have the same direction.

    A tied weight that another layer uses, or uses transposed, is not a recurrence.
    """
    tensor = weight.parameter if weight.tensor is None else weight.tensor
    return tensor, weight.fan_in, weight.fan_out


def _again(steps: Steps) -> dict[Node, frozenset[object]]:
    """The nodes that depend on an earlier use of their own weight, each with these weights."""
    counts = Counter(identity(weight) for step in steps.values() for weight in step.weights)
    bits = {key: 1 << place for place, key in enumerate(k for k, n in counts.items() if n > 1)}
    found: dict[Node, frozenset[object]] = {}
    if not bits:
        return found
    # A set of weights is a number with a bit for each: thousands of nodes may have thousands.
    seen: dict[Node, int] = {}
    for node, step in steps.items():
        before = 0
        for value in step.inputs:
            before |= seen.get(value, 0)
        keys = [key for key in map(identity, step.weights) if key in bits]
        repeated = frozenset(key for key in keys if before & bits[key])
        if repeated:
            found[node] = repeated
        for key in keys:
            before |= bits[key]
        seen[node] = before
    return found


def _joins(steps: Steps, repeated: set[Node]) -> dict[Node, str]:
    """Nodes whose result is added to that of a repeated one: with one of its parameters."""
    carried: dict[Node, str] = {}
    for node, step in steps.items():
        if node in repeated:
            carried[node] = step.weights[0].parameter
        elif step.role in _THROUGH:
            found = next((carried[value] for value in step.inputs if value in carried), "")
            carried.update({node: found} if found else {})
    joins: dict[Node, str] = {}
    for node in reversed(list(steps)):
        step = steps[node]
        joined = carried.get(node, "") if step.role == "merge_add" else ""
        joined = joined or (joins.get(node, "") if step.role in _THROUGH else "")
        if joined:
            joins.update(dict.fromkeys(step.inputs, joined))
    return joins
