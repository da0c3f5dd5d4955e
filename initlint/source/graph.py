"""The data that flows through a forward: nodes, each with its role, and graphs joined together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from initlint.source.budget import Budget


@dataclass(slots=True, eq=False, repr=False)
class Use:
    """One weight where it is multiplied with data.

    `slot` is the parameter, `draw` what it holds, `fans` its fan_in and fan_out (numbers, or
    symbols), `following` the fixed answer where the operation itself decides what follows; `biased`
    holds where a bias may be added to the result.
    """

    slot: Any
    type: str
    fans: tuple[Any, Any]
    draw: Any
    following: str = ""
    follows: tuple[str, ...] = ()
    reparametrised: bool = False
    biased: bool = True


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One operation on data: a role of the catalogue, or input, output, activation or choice.

    `operands` are all arguments as they were given, for those who look for written-out patterns.
    `frame` tells the calls of modules apart in which the nodes came to be.
    """

    role: str
    inputs: tuple[Node, ...] = ()
    name: str = ""
    operands: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    activation: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Any, ...] = ()
    frame: int = 0
    final: bool = False


class Graph:
    """Nodes in the order of the data; frames are numbered from 0, which is the graph's own."""

    def __init__(self, budget: Budget) -> None:
        self.nodes: list[Node] = []
        self.frames = 1
        self.budget = budget
        # What functions gave of data of this graph, so that the same call is drawn once.
        self.results: dict[object, Any] = {}

    def add(self, node: Node) -> Node:
        """The node, which now is the last."""
        self.budget.nodes(1)
        self.nodes.append(node)
        return node

    def splice(
        self, other: Graph, given: Mapping[Node, Node], redrawn: Callable[[Use], Any]
    ) -> dict[Node, Node]:
        """Copy the nodes of `other`, whose inputs are `given`; by every old node the new one."""
        self.budget.nodes(len(other.nodes))
        copies = dict(given)
        base = self.frames
        self.frames += other.frames
        for old in other.nodes:
            if old in copies:
                continue
            new = Node(
                old.role,
                tuple([copies.get(value) or self._stray(value, copies) for value in old.inputs]),
                old.name,
                (),
                {},
                old.activation,
                old.args,
                tuple([redrawn(use) for use in old.weights]) if old.weights else (),
                base + old.frame,
                old.final,
            )
            copies[old] = new
            self.nodes.append(new)
        return copies

    def close(self) -> None:
        """Put a node of its own in place of each that belongs to another graph."""
        nodes, self.nodes = self.nodes, []
        known: set[Node] = set()
        strays: dict[Node, Node] = {}
        for node in nodes:
            if not known.issuperset(node.inputs):
                node.inputs = tuple(
                    value if value in known else strays.get(value) or self._stray(value, strays)
                    for value in node.inputs
                )
            known.add(self.add(node))

    def _stray(self, value: Node, copies: dict[Node, Node]) -> Node:
        """Data that an object kept from another call: nobody knows which."""
        copies[value] = self.add(Node("unknown"))
        return copies[value]
