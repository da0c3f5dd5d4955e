"""Where gains would do harm: weights used again on their own result, and products with a zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from initlint.graph.branches import branches
from initlint.graph.mixing import with_mixings
from initlint.graph.ops import Graph, Op, Operand, leaves_of
from initlint.graph.recurrence import identity, recurrences

# Functions whose result is proportional to each of two factors.
_PRODUCTS = ("mul", "imul", "rmul", "multiply", "addcmul", "lerp")
# Parameters of torch's recurrent layers and cells that multiply a state.
_STATE = ("weight_hh", "weight_hr")


@dataclass(frozen=True, slots=True)
class Products:
    """What the graphs of a model say of its weights, by the first of their names.

    `recurrent` are used again on what was computed with them. `scales` and `factors` are, for the
    last weight of a residual branch, the other parameters that its branch is a product with:
    scales (alpha, a LayerScale), which are never filled, and weights.
    """

    recurrent: frozenset[str]
    scales: Mapping[str, tuple[str, ...]]
    factors: Mapping[str, tuple[str, ...]]


def products_of(model: nn.Module, graphs: Sequence[Graph]) -> Products:
    """The recurrent weights of `model`, and the products that its residual branches are."""
    first = _first_names(model)
    recurrent = {first[name] for name in _states(model)}
    scales: dict[str, tuple[str, ...]] = {}
    factors: dict[str, tuple[str, ...]] = {}
    for graph in graphs:
        recurrent |= {first.get(name, name) for name in used_again(graph)}
        for last, multiplied, weights in _branch_products(graph):
            name = first.get(last, last)
            scales[name] = tuple(first.get(other, other) for other in multiplied)
            factors[name] = tuple(first.get(other, other) for other in weights)
    return Products(frozenset(recurrent), scales, factors)


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


def _branch_products(graph: Graph) -> Iterator[tuple[str, list[str], list[str]]]:
    """For the last weight of every residual branch: the scales and the weights of its branch."""
    known = with_mixings({op: op for op in graph.nodes}, graph.whole)
    for branch in branches(known):
        if branch.last is None:
            continue
        ops = [*branch.nodes, branch.join]
        scales = [name for op in ops for name in _scales(op)]
        weights = [weight.parameter for op in ops for weight in known[op].weights]
        for last in known[branch.last].weights:
            others = [name for name in weights if name != last.parameter]
            yield last.parameter, list(dict.fromkeys(scales)), list(dict.fromkeys(others))


def _scales(op: Op) -> Iterator[str]:
    """The parameters that an operation multiplies data with, unit by unit."""
    if op.bare_name in _PRODUCTS:
        for value in leaves_of((op.operands, op.keywords)):
            if type(value) is Operand and value.zero_with:
                yield value.parameter
