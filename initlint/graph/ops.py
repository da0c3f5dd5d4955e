"""Op (one operation), its operands, and Graph (operations in the order of the data)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import chain
from typing import Any, Protocol


class Given(Enum):
    """Operands that carry no signal, or may carry none."""

    KEPT = auto()
    FIXED = auto()
    UNSURE = auto()


# A buffer: a tensor that the model keeps and does not train.
KEPT = Given.KEPT
# A value that was not computed from the input: a mask, a new tensor, a symbolic size.
FIXED = Given.FIXED
# It may be data, one of the model's tensors, or neither.
UNSURE = Given.UNSURE


@dataclass(frozen=True, slots=True)
class Operand:
    """One of the model's own parameters as an operation sees it.

    - `parameter`: the engine's own object for it.
    - `own_shape`: the parameter's shape; `shape`: its shape as used. None if a reshape has hidden
      the axes.
    - `reparametrised`: True if the value is computed from the parameter.
    - `part`: True if it has only some of the parameter's elements.
    - `zero_at`: the number at which elements of the parameter make it zero; None for none.
    - `others`: the other parameters that it is also zero with.
    - `vanishing`: True if it may be zero elsewhere, too.
    """

    parameter: Any
    own_shape: tuple[Any, ...] | None
    shape: tuple[Any, ...] | None
    reparametrised: bool = False
    part: bool = False
    zero_at: float | None = 0.0
    others: tuple[Any, ...] = ()
    vanishing: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Op:
    """One operation on data: a role of the catalogue, or input, output, activation or choice.

    - `inputs`: the operations whose results it reads, in order.
    - `operands`, `keywords`: all arguments: operations, `Operand`s, numbers, texts, `KEPT`,
      `FIXED`, `UNSURE`, and tuples of these. An operation with the role query carries no signal (a
      comparison, a shape, a tensor of constants) and occurs only among operands.
    - `frame`: the number of the module call that made the operation.
    - `final`: True for a result of the graph.
    """

    role: str
    inputs: tuple[Op, ...] = ()
    name: str = ""
    operands: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    activation: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Any, ...] = ()
    frame: int = 0
    final: bool = False

    @property
    def bare_name(self) -> str:
        """The name of the function or method without the underscores of its variants."""
        return self.name.strip("_")


def leaves_of(value: Any) -> list[Any]:
    """All elements of nested tuples, lists and dicts; for any other value, the value itself."""
    leaves: list[Any] = []
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if type(found) in _SINGLE:
            leaves.append(found)
        elif isinstance(found, (tuple, list)):
            waiting.extend(reversed(found))
        elif isinstance(found, dict):
            waiting.extend(reversed(found.values()))
        else:
            leaves.append(found)
    return leaves


# Most of what is met.
_SINGLE = {Op, Operand, Given, int, float, str, bool, type(None)}


def ops_in(*values: Any) -> tuple[Op, ...]:
    """All operations that carry a signal in values, each once, in order."""
    return signals_of(leaves_of(values))


def signals_of(leaves: Iterable[Any]) -> tuple[Op, ...]:
    """The operations among them that carry a signal, each once, in order."""
    found = [part for part in leaves if type(part) is Op and part.role != "query"]
    return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)


class Costs(Protocol):
    """Counts work before it is done; may raise if it is too much."""

    def nodes(self, count: int) -> None:
        """Count operations that are about to be added to a graph."""

    def elements(self, count: int) -> None:
        """Count elements that are about to be visited."""


class Free:
    """Costs without a limit."""

    def nodes(self, count: int) -> None:
        """Nothing to do."""

    def elements(self, count: int) -> None:
        """Nothing to do."""


class Graph:
    """Operations in the order of the data; frames are numbered from 0, which is the graph's own.

    If the graph is not that of a `whole` model, the operations before and after it are unknown.
    """

    def __init__(self, costs: Costs | None = None, whole: bool = True) -> None:
        self.costs: Costs = costs or Free()
        self.whole = whole
        self.nodes: list[Op] = []
        self.frames = 1
        # Results of functions on data of this graph, so that the same call is added only once.
        self.results: dict[object, Any] = {}
        # The parameters and buffers that the operations take in, as the engine knows them.
        self.touched: set[Any] = set()
        # What is known to arrive at an input, as a value of the predicted signal.
        self.arriving: dict[Op, Any] = {}
        # Those that an operation writes to in place.
        self.written: set[Any] = set()

    def add(self, node: Op) -> Op:
        """Append an operation, and return it."""
        self.costs.nodes(1)
        self.nodes.append(node)
        return node

    def splice(
        self, other: Graph, given: Mapping[Op, Op], redrawn: Callable[[Any], Any]
    ) -> dict[Op, Op]:
        """Copy the operations of `other`, with the inputs `given`; returns {old: new}."""
        self.costs.nodes(len(other.nodes))
        copies = dict(given)
        base = self.frames
        self.frames += other.frames
        self.touched |= other.touched
        for old in other.nodes:
            if old in copies:
                continue
            inputs = old.inputs
            if len(inputs) == 1:
                # Most operations have one.
                inputs = (copies.get(inputs[0]) or self._stray(inputs[0], copies),)
            elif inputs:
                inputs = tuple([copies.get(one) or self._stray(one, copies) for one in inputs])
            new = Op(
                old.role,
                inputs,
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
        """Replace each input that belongs to another graph by an unknown operation."""
        self.costs.nodes(len(self.nodes))
        known = set(self.nodes)
        if known.issuperset(chain.from_iterable([node.inputs for node in self.nodes])):
            return
        nodes, self.nodes = self.nodes, []
        known = set()
        strays: dict[Op, Op] = {}
        for node in nodes:
            if not known.issuperset(node.inputs):
                node.inputs = tuple(
                    value if value in known else strays.get(value) or self._stray(value, strays)
                    for value in node.inputs
                )
            self.nodes.append(node)
            known.add(node)

    def _stray(self, value: Op, copies: dict[Op, Op]) -> Op:
        """An unknown operation for data that an object kept from another call."""
        copies[value] = self.add(Op("unknown"))
        return copies[value]
