"""Where gains would do harm: weights used again on their own result, and products with a zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import fx, nn

from initlint import catalog
from initlint.dataflow.branches import branches
from initlint.dataflow.mixing import with_mixings
from initlint.trace.steps import Steps, bare_name

# Functions whose result is proportional to each of two factors.
_PRODUCTS = ("mul", "imul", "rmul", "multiply", "addcmul", "lerp")
# Functions of a parameter that are zero where it is; shape operations are, too.
_ZERO_AT_ZERO = ("tanh", "neg", "abs", "relu", "mul", "imul", "rmul", "multiply")
_UNCHANGED = ("to", "clone", "contiguous", "type_as", "float", "half", "bfloat16", "detach")
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


def products_of(model: nn.Module, graphs: Sequence[Steps]) -> Products:
    """The recurrent weights of `model`, and the products that its residual branches are."""
    first = _first_names(model)
    recurrent = {first[name] for name in _states(model)}
    scales: dict[str, tuple[str, ...]] = {}
    factors: dict[str, tuple[str, ...]] = {}
    for steps in graphs:
        recurrent |= {first.get(name, name) for name in used_again(steps)}
        for last, multiplied, weights in _branch_products(steps):
            name = first.get(last, last)
            scales[name] = tuple(first.get(other, other) for other in multiplied)
            factors[name] = tuple(first.get(other, other) for other in weights)
    return Products(frozenset(recurrent), scales, factors)


def used_again(steps: Steps) -> set[str]:
    """The weights by whose result they are reached once more, under the same name.

    Tied weights are used by several layers, each once: a table and the head that shares it, two
    layers in a row. That is no recurrence.
    """
    counts: dict[str, int] = {}
    for step in steps.values():
        for weight in step.weights:
            counts[weight.parameter] = counts.get(weight.parameter, 0) + 1
    # A bit for every weight that is used more than once; each node has those that it depends on.
    bits = {name: 1 << place for place, name in enumerate(n for n, c in counts.items() if c > 1)}
    reached: dict[fx.Node, int] = {}
    found: set[str] = set()
    for node, step in steps.items():
        above = 0
        for value in step.inputs:
            above |= reached.get(value, 0)
        own = 0
        for weight in step.weights:
            bit = bits.get(weight.parameter, 0)
            own |= bit
            if above & bit:
                found.add(weight.parameter)
        reached[node] = above | own
    return found


def _states(model: nn.Module) -> Iterator[str]:
    """The weights of torch's recurrent layers and cells that multiply their state."""
    for prefix, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            for name, _ in module.named_parameters(prefix, recurse=False):
                if name.rpartition(".")[2].startswith(_STATE):
                    yield name


def _first_names(model: nn.Module) -> dict[str, str]:
    """By every name of a parameter, the first that it goes by."""
    first = {id(tensor): name for name, tensor in model.named_parameters()}
    everything = model.named_parameters(remove_duplicate=False)
    return {name: first[id(tensor)] for name, tensor in everything}


def _branch_products(steps: Steps) -> Iterator[tuple[str, list[str], list[str]]]:
    """For the last weight of every residual branch: the scales and the weights of its branch."""
    known = with_mixings(steps, steps.whole)
    for branch in branches(known):
        if branch.last is None:
            continue
        nodes = [*branch.nodes, branch.join]
        scales = [name for node in nodes for name in _scales(steps, node)]
        weights = [weight.parameter for node in nodes for weight in known[node].weights]
        for last in known[branch.last].weights:
            others = [name for name in weights if name != last.parameter]
            yield last.parameter, list(dict.fromkeys(scales)), list(dict.fromkeys(others))


def _scales(steps: Steps, node: fx.Node) -> Iterator[str]:
    """The parameters that an operation multiplies data with, unit by unit."""
    if bare_name(node).strip("_") not in _PRODUCTS:
        return
    for value in node.all_input_nodes:
        operand = steps[value].operand
        if operand is not None and _is_zero_with(steps, value):
            yield operand.parameter


def _is_zero_with(steps: Steps, node: fx.Node) -> bool:
    """Whether a value computed from one parameter is zero where the parameter is."""
    while node.op != "get_attr":
        name = bare_name(node).strip("_")
        operation = catalog.operation_of_function(name)
        moved = operation is not None and operation.role == "shape"
        before = [value for value in node.all_input_nodes if steps[value].operand is not None]
        if not before or not (moved or name in _ZERO_AT_ZERO or name in _UNCHANGED):
            return False
        node = before[0]
    return True
