"""What the follower asks of a graph: nodes in the order of the data, and for each its step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# Whatever an engine calls its nodes by.
Node = Any


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of one operation.

    `parameter` is its qualified name, `following` its fixed answer where the operation itself
    decides what follows (gates of recurrent cells, attention's projections). `reparametrised`
    marks weights that are computed from other parameters, whose scale is not the weight's; `biased`
    those to whose result a bias may be added. `spread` is by how much the stride of a transposed
    convolution has divided fan_in. `recurrent` is state for a weight that is multiplied with its
    own earlier result, input for one whose result is added to that of such a weight. `tensor` tells
    the same weight at two places, where `parameter` does not.
    """

    parameter: str
    type: str
    shape: tuple[int, ...]
    fan_in: float | None
    fan_out: float | None
    following: str = ""
    follows: tuple[str, ...] = ()
    reparametrised: bool = False
    biased: bool = True
    spread: float = 1
    recurrent: str = ""
    tensor: Any = None


class Step(Protocol):
    """One operation: its role, the nodes whose data it takes in, in order, and its bare name.

    `role` is an operation's role of the catalogue (shape, norm, pool, merge_add, …) or one of
    input, output, activation, weighted, tensor, gate, attention, choice, unknown; a choice is one
    or the other of its inputs, nobody knows which. `final` marks a result of the graph.
    """

    @property
    def role(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> tuple[Node, ...]: ...
    @property
    def activation(self) -> str: ...
    @property
    def args(self) -> Mapping[str, Any]: ...
    @property
    def weights(self) -> tuple[Weight, ...]: ...
    @property
    def final(self) -> bool: ...


Steps = Mapping[Node, Step]
