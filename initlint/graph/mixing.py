"""Matrix products that only mix a layer's results, as pooling does: `adjacency @ layer(x)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from initlint.graph.steps import Node, Step, Steps, Weight

# Names of fused attention functions, which are not products of two matrices.
_WHOLE = ("attention", "attn")
# Activations whose result is a factor between 0 and 1 for another value.
SHARES = ("sigmoid", "hardsigmoid", "softmax")
_KEEPING = ("shape", "dropout", "scale", "choice")


@dataclass(frozen=True, slots=True)
class Mixing:
    """A matrix product with data of the model's input, looked through as a pooling is."""

    inputs: tuple[Node, ...]
    name: str
    role: str = "pool"
    activation: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    final: bool = False


def with_mixings(steps: Steps, whole: bool) -> Steps:
    """The steps; a matrix product with a value that no weight has touched becomes a `Mixing`.

    In a graph that is not `whole`, weights may have touched its inputs.
    """
    touched: set[Node] = set()
    shares: set[Node] = set()
    mixings: dict[Node, Step] = {}
    for node, step in steps.items():
        if step.role == "attention":
            signals = _mixed(step, touched)
            if len(signals) == 1 and signals[0] not in shares:
                mixings[node] = Mixing(signals, step.name)
        if _is_touched(step, touched, whole):
            touched.add(node)
        if _is_share(step, shares):
            shares.add(node)
    return {node: mixings.get(node, step) for node, step in steps.items()} if mixings else steps


def _mixed(step: Step, touched: set[Node]) -> tuple[Node, ...]:
    """The factors of a product of two that weights have touched."""
    if len(step.inputs) != 2 or any(word in step.name for word in _WHOLE):
        return ()
    return tuple(value for value in step.inputs if value in touched)


def _is_touched(step: Step, touched: set[Node], whole: bool) -> bool:
    """Whether a value depends on a weight, or may do so."""
    if step.role == "input":
        return not whole
    if step.role == "weighted" or not step.inputs:
        return True
    return any(value in touched for value in step.inputs)


def _is_share(step: Step, shares: set[Node]) -> bool:
    if step.role == "activation":
        return step.activation in SHARES
    return step.role in _KEEPING and any(value in shares for value in step.inputs)
