"""Where gains would do harm: weights used again on their own result, and products with a zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from initlint.fill.summed import summed_in
from initlint.graph.branches import Branch, branches
from initlint.graph.mixing import with_mixings
from initlint.graph.ops import Graph, Op, Operand, leaves_of
from initlint.graph.recurrence import identity, recurrences
from initlint.graph.steps import Node, Steps

# Functions whose result is proportional to each of two factors.
_PRODUCTS = ("mul", "imul", "rmul", "multiply", "addcmul", "lerp", "einsum")
# Products with a matrix, which is no weight where it is computed from a parameter.
_MATRICES = ("linear", "matmul", "rmatmul", "mm", "bmm", "mv")
# Parameters of torch's recurrent layers and cells that multiply a state.
_STATE = ("weight_hh", "weight_hr")


@dataclass(frozen=True, slots=True)
class Products:
    """What the graphs of a model say of its weights, by the first of their names.

    `recurrent` are used again on what was computed with them. `scales` and `factors` are, for the
    last weight of a residual branch, the other parameters that its branch is a product with:
    scales (alpha, a LayerScale), which are never filled, and weights. `computed` are the parameters
    from which a factor of the branch is computed, each with the number at which it makes that zero;
    None where that is not known. `summed` are beside a sum over an unknown number of values.
    """

    recurrent: frozenset[str]
    scales: Mapping[str, tuple[str, ...]]
    factors: Mapping[str, tuple[str, ...]]
    before: Mapping[str, tuple[str, ...]]
    computed: Mapping[str, tuple[tuple[str, float | None], ...]] = field(default_factory=dict)
    summed: frozenset[str] = frozenset()


def products_of(model: nn.Module, graphs: Sequence[Graph]) -> Products:
    """The recurrent weights of `model`, and the products that its residual branches are."""
    first = _first_names(model)
    recurrent = {first[name] for name in _states(model)}
    scales: dict[str, tuple[str, ...]] = {}
    factors: dict[str, tuple[str, ...]] = {}
    before: dict[str, tuple[str, ...]] = {}
    computed: dict[str, tuple[tuple[str, float | None], ...]] = {}
    summed: set[str] = set()
    for graph in graphs:
        recurrent |= {first.get(name, name) for name in used_again(graph)}
        summed |= {first.get(name, name) for name in summed_in(graph)}
        steps = with_mixings({op: op for op in graph.nodes}, graph.whole)
        for branch in filter(lambda one: one.sure, branches(steps)):
            for last, multiplied, weights in _branch_products(steps, branch):
                name = first.get(last, last)
                scales[name] = tuple(first.get(other, other) for other in multiplied)
                factors[name] = tuple(first.get(other, other) for other in weights)
                made = [pair for op in (*branch.nodes, branch.join) for pair in _computed(op)]
                computed[name] = tuple((first.get(other, other), zero) for other, zero in made)
            for weight, multiplied in _scaled_inputs(steps, branch):
                name = first.get(weight, weight)
                before[name] = tuple(first.get(other, other) for other in multiplied)
    return Products(frozenset(recurrent), scales, factors, before, computed, frozenset(summed))


def used_again(graph: Graph) -> set[str]:
    """The weights that are multiplied with a value computed from their own earlier result."""
    again = recurrences({op: op for op in graph.nodes}).again
    return {
        weight.parameter
        for op, tensors in again.items()
        for weight in op.weights
        if identity(weight) in tensors
    }


def _states(model: nn.Module) -> Iterator[str]:
    """The weights of torch's recurrent layers and cells that multiply their state."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            for name, _ in module.named_parameters(prefix, recurse=False):
                if name.rpartition(".")[2].startswith(_STATE):
                    yield name


def _first_names(model: nn.Module) -> dict[str, str]:
    """For every name of a parameter, its first name."""
    first = {id(tensor): name for name, tensor in model.named_parameters()}
    everything = model.named_parameters(remove_duplicate=False)
    return {name: first[id(tensor)] for name, tensor in everything}


def _branch_products(steps: Steps, branch: Branch) -> Iterator[tuple[str, list[str], list[str]]]:
    """For the last weights of a residual branch: the scales and the weights of the branch."""
    if branch.last is None:
        return
    ops = [*branch.nodes, branch.join]
    scales = [name for op in ops for name in _scales(op)]
    weights = [weight.parameter for op in ops for weight in steps[op].weights]
    for last in steps[branch.last].weights:
        others = [name for name in weights if name != last.parameter]
        yield last.parameter, list(dict.fromkeys(scales)), list(dict.fromkeys(others))


def _scaled_inputs(steps: Steps, branch: Branch) -> Iterator[tuple[str, list[str]]]:
    """The weights of a residual branch whose input was multiplied with scales, and those."""
    found: dict[Node, dict[str, None]] = {}
    # The branch itself is a set: its order in the data is that of the graph.
    for node in (node for node in steps if node in branch.nodes):
        scales = {name: None for one in steps[node].inputs for name in found.get(one, ())}
        for weight in steps[node].weights if scales else ():
            yield weight.parameter, list(scales)
        found[node] = scales | dict.fromkeys(_scales(node))


def _scales(op: Op) -> Iterator[str]:
    """The parameters that an operation multiplies data with, unit by unit."""
    for value in _factors(op):
        if value.zero_at == 0:
            yield from (value.parameter, *value.others)


def _computed(op: Op) -> Iterator[tuple[str, float | None]]:
    """The parameters from which an operation computes a factor, and where it is zero, if known."""
    for value in _factors(op):
        if value.zero_at or value.vanishing:
            yield value.parameter, None if value.vanishing else value.zero_at


def _factors(op: Op) -> Iterator[Operand]:
    """The parameters, and what is computed from them, that data is multiplied with."""
    if op.bare_name in _PRODUCTS:
        values = leaves_of((op.operands, op.keywords))
    elif op.bare_name in _MATRICES and not op.weights:
        # The third is a bias.
        values = leaves_of((op.operands[:2], op.keywords.get("weight")))
    else:
        return
    yield from (value for value in values if type(value) is Operand)
