"""The result of tracing: a Layer for every weight of a model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from torch import nn

from initlint.graph.follow import Use, uses
from initlint.graph.ops import Graph
from initlint.graph.packing import packed_in
from initlint.graph.patterns import name_patterns
from initlint.graph.record import is_state, layer_of
from initlint.graph.steps import Weight
from initlint.recommend.outlook import with_signals
from initlint.records import Following, Initializer, Layer, Parameter, Site
from initlint.torchlib import catalog
from initlint.torchlib.draws import drawn_by
from initlint.tracing.arriving import loud, placed
from initlint.tracing.build import Built
from initlint.tracing.capture import CaptureError, capture
from initlint.tracing.islands import has_forward, is_unimplemented, islands
from initlint.tracing.measure import measured
from initlint.tracing.parameters import parameters_of
from initlint.tracing.signal import given
from initlint.tracing.steps import operations_of_nodes
from initlint.tracing.unchanged import LAZY, unchanged
from initlint.tracing.weights import weights_of_module


def layers_of(built: Built, inputs: Sequence[Any] = ()) -> tuple[Layer, ...]:
    """Every weight of a built model, in the order of the data; unused ones come last.

    `inputs` are example inputs for models that must be run. Raises CaptureError if the graph
    cannot be captured.
    """
    return recorded(built, inputs)[0]


def recorded(
    built: Built, inputs: Sequence[Any] = ()
) -> tuple[tuple[Layer, ...], tuple[Parameter, ...]]:
    """The layers of a built model, and all of its parameters and buffers."""
    # Also to ask a parametrised module for its weight computes it, and may write to its buffers.
    with unchanged(built.model):
        graphs = graphs_of(built, inputs)
        layers = layers_of_graphs(built, graphs)
    return layers, parameters_of(built, graphs)


def graphs_of(built: Built, inputs: Sequence[Any] = ()) -> list[Graph]:
    """The graph of a model's forward, and those of submodules that this forward never calls.

    A model without a forward, or with one that is not implemented (a LightningModule whose
    training_step calls its parts), gives only the graphs of its submodules.
    """
    whole: list[Graph] = []
    if has_forward(built.model):
        try:
            captured = capture(built.model, built.name, inputs, built.rebuild)
            graph, nodes = operations_of_nodes(captured.graph, captured.model)
            tensors = placed(captured.graph, captured.model, (inputs, {}))
            graph.arriving = {nodes[n]: x for n, t in tensors.items() if (x := loud(t))}
            whole.append(graph)
        except CaptureError as error:
            if not is_unimplemented(error.__cause__):
                raise
    return [*whole, *islands(built.model, built.name, whole)]


_NOTHING: Mapping[str, Initializer] = MappingProxyType({})


def layers_of_graphs(
    built: Built, graphs: Sequence[Graph], held: Mapping[str, Initializer] = _NOTHING
) -> tuple[Layer, ...]:
    """Every weight of a built model, from its graphs.

    `held` says by name what parameters hold, where the model itself does not show it: a twin on the
    meta device of one whose values lie in shards.
    """
    found: list[Use] = []
    bare = 0
    for graph in graphs:
        name_patterns(graph)
        used, count = uses({op: op for op in graph.nodes}, whole=graph.whole)
        found, bare = [*found, *used], bare + count
    owners = _Owners(built, held)
    by_parameter: dict[str, list[Use]] = {}
    for use in found:
        by_parameter.setdefault(owners.canonical(use.weight.parameter), []).append(use)
    stateful = [group for group in by_parameter.values() if is_state(group)]
    states = {use.weight.parameter for group in stateful for use in group}
    reached = [_layer(name, group, owners, bare, states) for name, group in by_parameter.items()]
    reached = [
        replace(layer, current=held[layer.parameter]) if layer.parameter in held else layer
        for layer in reached
    ]
    for graph in graphs:
        known = given(owners.filled, {}, owners.canonical, graph.arriving)
        reached = with_signals(reached, graph.nodes, known)
    return (*reached, *_unreached(owners, set(by_parameter)))


class _Owners:
    """Facts about each parameter: canonical name, owning module, site, initialiser."""

    def __init__(self, built: Built, held: Mapping[str, Initializer]) -> None:
        self.built = built
        self.held = held
        self.modules = dict(built.model.named_modules())
        self.tensors = dict(built.model.named_parameters())
        self._names = {id(tensor): name for name, tensor in self.tensors.items()}
        self._aliases = dict(built.model.named_parameters(remove_duplicate=False))

    def canonical(self, parameter: str) -> str:
        """The first of the names under which a shared parameter is known."""
        return self._names.get(id(self._aliases.get(parameter)), parameter)

    def filled(self, parameter: str) -> Initializer | None:
        """How any parameter got its values: as recorded, else as measured.

        What does not exist before the first forward will have PyTorch's default, of no known std.
        """
        tensor = self.tensors.get(self.canonical(parameter))
        if tensor is None:
            return None
        if self.is_lazy(parameter):
            return Initializer("kaiming_uniform_", default=True)
        if self.canonical(parameter) in self.held:
            return self.held[self.canonical(parameter)]
        if self.built.recorder is not None:
            return self.built.recorder.initializer(tensor)
        return measured(tensor, None)

    def owner(self, parameter: str) -> tuple[str, nn.Module]:
        """The innermost weighted module of torch's kinds that holds a parameter, else its holder.

        Parametrisations keep a weight several modules below the layer that it belongs to.
        """
        names = [parameter.rsplit(".", cut)[0] for cut in range(1, parameter.count(".") + 1)]
        for name in [*names, ""]:
            if name in self.modules and _is_weighted(self.modules[name]):
                return name, self.modules[name]
        name = parameter.rpartition(".")[0]
        return name, self.modules[name]

    def site(self, parameter: str) -> Site | None:
        """Where the layer was constructed, or the bare parameter was made."""
        recorder = self.built.recorder
        if recorder is None:
            return None
        module = self.owner(parameter)[1]
        if _is_weighted(module):
            return recorder.made.module_site(module)
        return recorder.made.parameter_site(self.tensors[parameter]) or recorder.made.module_site(
            module
        )

    def is_lazy(self, parameter: str) -> bool:
        """Whether a parameter has no shape before the first forward."""
        return isinstance(self.tensors.get(parameter), LAZY)

    def current(self, weight: Weight, parameter: str) -> Initializer | None:
        """How the parameter got its values: as recorded, else as measured."""
        tensor = self.tensors.get(parameter)
        if tensor is None or weight.reparametrised:
            return Initializer("unknown")
        if self.is_lazy(parameter):
            return _at_first_forward(weight)
        if self.built.recorder is not None:
            return self.built.recorder.initializer(tensor)
        fan = math.prod(weight.shape[1:]) if len(weight.shape) > 1 else 0
        default = weight.type != "Parameter" and weight.fan_in and fan
        return measured(tensor, 1 / math.sqrt(fan) if default else None)


def _at_first_forward(weight: Weight) -> Initializer | None:
    """The initialiser that torch's lazy layers will use for weights that do not exist yet."""
    args = {"a": math.sqrt(5), "mode": "fan_in", "nonlinearity": "leaky_relu"}
    draw = drawn_by("kaiming_uniform_", args, weight.shape)
    return replace(draw, default=True).initializer()


def _is_weighted(module: nn.Module) -> bool:
    for kind in type(module).__mro__:
        operation = catalog.operation_of_module(kind.__name__)
        if operation is not None and kind.__module__.startswith("torch."):
            return operation.role == "weighted"
    return False


def _layer(
    parameter: str, group: list[Use], owners: _Owners, bare: int, states: Collection[str]
) -> Layer:
    """One record of a weight that is used at one or more places of the graph."""
    name, module = owners.owner(parameter)
    weight = group[0].weight
    return layer_of(
        group,
        bare,
        model=owners.built.name,
        layer=name,
        parameter=parameter,
        type=type(module).__name__ if _is_weighted(module) else weight.type,
        current=owners.current(weight, parameter),
        site=owners.site(parameter),
        nominal=owners.is_lazy(parameter),
        states=states,
    )


def _unreached(owners: _Owners, reached: set[str]) -> Iterable[Layer]:
    """Weights of torch's own layers that the captured forward never used."""
    for name, module in owners.modules.items():
        if _is_weighted(module):
            for weight in weights_of_module(name, module):
                parameter = owners.canonical(weight.parameter)
                if parameter not in reached:
                    reached.add(parameter)
                    yield _unknown(parameter, weight, owners)


def _unknown(parameter: str, weight: Weight, owners: _Owners) -> Layer:
    name, module = owners.owner(parameter)
    return Layer(
        model=owners.built.name,
        layer=name,
        parameter=parameter,
        type=type(module).__name__,
        shape=weight.shape,
        fan_in=weight.fan_in,
        fan_out=weight.fan_out,
        following=Following(weight.following or "unknown"),
        current=owners.current(weight, parameter),
        site=owners.site(parameter),
        parts=packed_in(type(module).__name__, parameter.rpartition(".")[2]),
    )
