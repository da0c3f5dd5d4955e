"""The predicted signal of a built or live model: what its graph, weights and shapes give."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from initlint.graph.ops import Op
from initlint.graph.patterns import name_patterns
from initlint.graph.samples import Value
from initlint.graph.signal import predicted
from initlint.graph.signal_terms import Given, Prediction
from initlint.graph.signal_weighted import Known, Moments
from initlint.graph.steps import Weight
from initlint.records import Initializer
from initlint.tracing.arriving import note_indices, placed, value_of
from initlint.tracing.capture import capture
from initlint.tracing.recorded import meta_twin
from initlint.tracing.steps import operations_of_nodes

# The width that a lazy layer is taken to have; ratios do not depend on it.
_LAZY = 64
# By a parameter's name how it is filled.
Filled = Callable[[str], Initializer | None]


class Graphed(NamedTuple):
    """A model's operations in the order of the data, the shapes of their results, and what its
    inputs are, if they are known."""

    ops: list[Op]
    shapes: dict[Op, tuple[int, ...]]
    arriving: dict[Op, Value]


# Positional and keyword arguments of forward.
Arguments = tuple[Sequence[Any], Mapping[str, Any]]


def prediction(
    model: nn.Module, name: str, inputs: Sequence[Any], filled: Filled
) -> tuple[list[Op], Prediction]:
    """The operations of a model in the order of the data, and the signal in them."""
    graph = graphed(model, name, inputs, (inputs, {}))
    return graph.ops, predicted(graph.ops, given(filled, graph.shapes, arriving=graph.arriving))


def graphed(
    model: nn.Module,
    name: str,
    inputs: Sequence[Any],
    arguments: Arguments,
    measuring: bool = False,
) -> Graphed:
    """The graph of a model; `arguments` are those of a run, from which the shapes are had.

    With `measuring`, their values count; else they are taken for Gaussian, with the variance 1.
    """
    captured = capture(model, name, inputs)
    graph, nodes = operations_of_nodes(captured.graph, captured.model)
    tensors = placed(captured.graph, captured.model, arguments)
    shapes = _shapes(captured.graph, captured.model, tensors) if tensors else {}
    note_indices(model, nodes, tensors)
    name_patterns(graph)
    known = {nodes[node]: shape for node, shape in shapes.items() if node in nodes}
    arriving = {
        nodes[node]: value_of(tensor)
        for node, tensor in tensors.items()
        if node in nodes and (measuring or not tensor.is_floating_point())
    }
    return Graphed(graph.nodes, known, arriving)


def given(
    filled: Filled,
    shapes: dict[Op, tuple[int, ...]],
    named: Callable[[str], str] = str,
    arriving: Mapping[Op, Value] | None = None,
) -> Given:
    """What is known of a model whose parameters have names; `named` gives the first of several."""

    def content(name: Any) -> Moments | None:
        found = filled(name)
        return None if found is None or found.std is None else (found.mean, found.std)

    def weights(op: Op) -> list[Known]:
        own = op.args.get("bias")
        found = [_known(weight, filled, content, own and own.parameter) for weight in op.weights]
        return [weight._replace(name=named(weight.name)) for weight in found]

    return Given(weights, content, shapes, arriving or {})


def _known(
    weight: Weight,
    filled: Filled,
    content: Callable[[str], Moments | None],
    bias: str | None,
) -> Known:
    current = None if weight.reparametrised else filled(weight.parameter)
    path, _, last = weight.parameter.rpartition(".")
    if bias is None and weight.type != "Parameter":
        bias = f"{path}.{last}".lstrip(".").replace(last, last.replace("weight", "bias"))
    is_lazy = current is not None and current.default and current.std is None
    if is_lazy or (weight.type.startswith("Lazy") and not weight.fan_in):
        # As wide as its input, whatever that will be: PyTorch's default has the gain 1/sqrt(3).
        if not weight.fan_in:
            weight = weight._replace(shape=(_LAZY, _LAZY), fan_in=_LAZY, fan_out=_LAZY)
        std = 1 / math.sqrt(3 * (weight.fan_in or _LAZY))
        current = Initializer("kaiming_uniform_", {}, std, True)
    added = content(bias) if bias and weight.biased else None
    return Known(
        weight.parameter,
        weight.shape,
        weight.fan_in,
        weight.fan_out,
        current.mean if current is not None else 0.0,
        current.std if current is not None else None,
        added or (0.0, 0.0),
        current.name if current is not None else "",
        weight.spread,
    )


def measured_content(model: nn.Module) -> Filled:
    """How the parameters of a live model are filled, by all their values."""
    tensors = dict(model.named_parameters(remove_duplicate=False))

    def filled(name: str) -> Initializer | None:
        tensor = tensors.get(name)
        if tensor is None or tensor.is_meta or not tensor.numel():
            return None
        values = tensor.detach().float()
        mean, std = float(values.mean()), float(values.std(correction=0))
        # Of a draw around 0, the mean is chance.
        is_chance = abs(mean) < 5 * std / math.sqrt(tensor.numel())
        return Initializer("measured", {}, std, mean=0.0 if is_chance else mean)

    return filled


def _shapes(
    graph: fx.Graph, model: nn.Module, tensors: Mapping[fx.Node, torch.Tensor]
) -> dict[fx.Node, tuple[int, ...]]:
    """The shape of every node's result: noted in a recorded run, else by a run on meta tensors."""
    noted = {node: node.meta["shape"] for node in graph.nodes if node.meta.get("shape")}
    if noted:
        return noted
    twin = meta_twin(model)
    twin.eval()
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    values = [
        tensors[node].to("meta") if node in tensors else node.args[0] if node.args else None
        for node in placeholders
    ]
    run = _Shapes(twin, graph=graph)
    with contextlib.suppress(Exception), torch.no_grad():
        run.run(*values)
    return run.found


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps the shapes of its results."""

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, graph=graph)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The result of one node."""
        constant = n.meta.get("constant") if n.op == "get_attr" else None
        if isinstance(constant, torch.Tensor):
            result: Any = constant.to("meta")
        else:
            result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            self.found[n] = tuple(result.shape)
        return result
