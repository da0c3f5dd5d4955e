"""The interface between a graph and `follow`: nodes in the order of the data, each with a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

# An engine may use any hashable object as a node.
Node = Any


class Weight(NamedTuple):
    """One weight of one operation.

    - `parameter`: its qualified name.
    - `following`: the following activation, if the operation itself decides it (gates of recurrent
      cells, attention's projections); else empty.
    - `reparametrised`: True if the weight is computed from other parameters, which have other stds.
    - `biased`: True if a bias may be added to the result.
    - `spread`: the factor by which the stride of a transposed convolution divides fan_in.
    - `recurrent`: state, if the weight is multiplied with its own earlier result; input, if its
      result is added to that of such a weight.
    - `stacked`: as in `graph.weights.Factor`.
    - `tensor`: identifies a weight that has different names at two places.
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
    stacked: bool = False


class Step(Protocol):
    """One operation: its role, its input nodes in order, and its bare name.

    `role` is a role of the catalogue (shape, norm, pool, merge_add, …) or one of input, output,
    activation, weighted, tensor, gate, attention, choice, unknown. A choice is one of its inputs;
    the code does not decide which. `final` is true for a result of the graph.
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
