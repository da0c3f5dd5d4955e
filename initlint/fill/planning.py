"""Which parameters of a model are filled, and with what: layers, recipes, scope, overrides."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from initlint.fill.apply import Choice, Known, choose, is_wanted, matches, names_of, refuse_idle
from initlint.fill.centring import CENTRED
from initlint.fill.forgetting import with_forget_bias
from initlint.fill.given import Wanted
from initlint.fill.held import Held
from initlint.fill.journal import Journal
from initlint.fill.normed import with_normed
from initlint.fill.orthogonal import matrices_of
from initlint.fill.overrides import overridden
from initlint.fill.present import Present
from initlint.fill.products import Products, products_of
from initlint.fill.recipes import per_part, with_recipes
from initlint.fill.scope import Scope, with_present
from initlint.fill.shards import bare_name, parts_of
from initlint.fill.stages import (
    Whole,
    first_names,
    names_here,
    names_within,
    products_within,
    within,
)
from initlint.fill.summed import with_default_scales
from initlint.fill.tied import with_tied_heads
from initlint.fill.together import Together
from initlint.fill.twins import traceable
from initlint.graph.ops import Graph
from initlint.recommend import with_recommendations
from initlint.recommend.variants import preferred
from initlint.records import Initializer, Layer, Preferences
from initlint.tracing.build import Built
from initlint.tracing.foreign import kind_of
from initlint.tracing.layers import graphs_of, layers_of_graphs
from initlint.tracing.unchanged import unchanged

# Types of layers that have no default of PyTorch's to fall back on, or another one.
_OTHERS = ("Parameter", "Embedding", "EmbeddingBag")
_AS_LARGE = "orthogonal with the std that it had, which is kept"
_NOT_KNOWN = "PyTorch's default: nobody wrote the weight, and what follows is not known"


def chosen(model: nn.Module, layers: Sequence[Layer], wanted: Wanted, known: Known) -> Choice:
    """What is to be filled, and with what."""

    named = [pattern for pattern, _ in wanted.overrides]
    patterns = {"only": wanted.only, "skip": wanted.skip, "overrides": named}
    # All stages may be given what is meant for one of them.
    whole = model if wanted.whole is None else wanted.whole.model
    refuse_idle(whole, patterns, [layer.parameter for layer in layers])
    names = _names(model, wanted)
    choice = choose(model, layers, names, wanted.seed, wanted.only, wanted.skip, known)
    choice = overridden(model, choice, names, wanted.overrides, wanted.seed, known.scope)
    choice = with_forget_bias(model, choice, wanted, known.scope)
    if wanted.whole is None:
        return choice
    firsts = first_names(wanted.whole)
    sources = {
        name: replace(source, name=bare_name(firsts.get(name, name)))
        for name, source in choice.sources.items()
    }
    return replace(choice, sources=sources)


def _names(model: nn.Module, wanted: Wanted) -> dict[str, list[str]]:
    """All names of every parameter, by the first that it has here."""
    return names_of(model) if wanted.whole is None else names_within(model, wanted.whole)


def refuse_unwritten(
    model: nn.Module,
    choice: Choice,
    wanted: Wanted,
    scope: Scope,
    unwritten: Collection[str] | None = None,
) -> None:
    """Raise for parameters and buffers with memory that nothing wrote, and that nothing fills.

    Of those without memory, only for the `unwritten`, which `materialize` knows.
    """

    names, parts = _names(model, wanted), parts_of(model)
    asked = (
        name
        for name, part in parts.items()
        if (not part.local.is_meta or name in (unwritten or ()))
        and is_wanted(names.get(name, [name]), wanted.only, wanted.skip)
    )
    remedy = "fill the model by initlint.materialize instead of to_empty, "
    scope.refuse_unwritten(choice.sources, asked, remedy if unwritten is None else "")


def layers_and_facts(
    model: nn.Module,
    inputs: Sequence[Any],
    wanted: Wanted,
    present: Mapping[str, Present],
    ranks: Together,
    rebuild: Callable[[], nn.Module] | None = None,
    journal: Journal | None = None,
) -> tuple[tuple[Layer, ...], Known]:
    """The layers of a live model, each with the policy's recommendation, and facts for `choose`."""

    if wanted.whole is not None:
        return _of_stage(model, wanted.whole, inputs, wanted, present, ranks)
    if not _is_open(model, wanted, present):
        nothing = Products(frozenset(), {}, {}, {})
        return (), Known(nothing, Held(model, journal, ranks), Scope(wanted.scope, present, ()))
    layers, graphs, products = _captured(model, inputs, present, rebuild)
    scope = Scope(wanted.scope, present, layers, products.summed, wanted.policy)
    known = Known(products, Held(model, journal, ranks), scope)
    return _planned(model, layers, graphs, known, wanted), known


def _of_stage(
    stage: nn.Module,
    whole: Whole,
    inputs: Sequence[Any],
    wanted: Wanted,
    present: Mapping[str, Present],
    ranks: Together,
) -> tuple[tuple[Layer, ...], Known]:
    """The same for a part of a model, whose layers are judged where they stand in the whole."""

    here, firsts = names_here(stage, whole), first_names(whole)
    own = {firsts.get(name, name): one for name, one in present.items()}
    everything = {**whole.present, **own, **present}
    layers, graphs, products = _captured(whole.model, inputs, everything)
    scope = Scope(wanted.scope, everything, layers, products.summed, wanted.policy)
    known = Known(products_within(here, products), Held(stage, None, ranks), scope)
    planned = within(here, _planned(whole.model, layers, graphs, known, wanted))
    return planned, replace(known, scope=scope.by_names(here))


def _captured(
    model: nn.Module,
    inputs: Sequence[Any],
    present: Mapping[str, Present],
    rebuild: Callable[[], nn.Module] | None = None,
) -> tuple[tuple[Layer, ...], Sequence[Graph], Products]:
    """The layers of a model with what their weights hold, its graphs, and the products in them."""

    whole = traceable(model)
    built = Built(kind_of(model), whole, None, rebuild)
    # Reading the weight of a parametrised module computes it, and may write to its buffers.
    with unchanged(whole):
        graphs = graphs_of(built, inputs)
        held = {name: one.held for name, one in present.items() if one.kind != "unknown"}
        layers = layers_of_graphs(built, graphs, held)
        return with_present(layers, present), graphs, products_of(whole, graphs)


def _planned(
    model: nn.Module,
    layers: Sequence[Layer],
    graphs: Sequence[Graph],
    known: Known,
    wanted: Wanted,
) -> tuple[Layer, ...]:
    """The layers, each with the policy's recommendation."""

    alive = tuple(per_part(known.alive(layer)) for layer in layers)
    recommended = with_normed(with_recommendations(alive), model)
    planned = with_tied_heads(with_recipes(recommended, graphs), model)
    safe = with_default_scales(planned, known.products.summed)
    whole = tuple(_with_some_scale(layer, known.scope.present) for layer in safe)
    return _recommended(whole, wanted.policy, known.scope)


def _with_some_scale(layer: Layer, present: Mapping[str, Present]) -> Layer:
    """A layer of torch's; with PyTorch's std, if nobody wrote it and what follows is unknown."""
    found = present.get(layer.parameter)
    if found is None or found.kind != "unwritten" or layer.recommended or not layer.fan_in:
        return layer
    is_unknown = layer.following.activation in ("unknown", "mixed")
    if not is_unknown or layer.harmless or layer.recurrent or layer.type in _OTHERS:
        return layer
    std = 1 / math.sqrt(3 * layer.fan_in)
    return replace(layer, recommended=Initializer("normal_", {"std": std}, std, reason=_NOT_KNOWN))


def _is_open(model: nn.Module, wanted: Wanted, present: Mapping[str, Present]) -> bool:
    """Whether the graph has anything to decide: some weight is asked for and may be filled."""

    named = [pattern for pattern, _ in wanted.overrides]
    names = names_of(model)

    def is_open(name: str, value: torch.Tensor) -> bool:
        every = names.get(name, [name])
        if not value.requires_grad or any(matches(one, named) for one in every):
            return False
        meant = wanted.scope != "all" and name in present and present[name].is_meant
        return not meant and is_wanted(every, wanted.only, wanted.skip)

    return any(is_open(name, value) for name, value in model.named_parameters())


def _recommended(layers: tuple[Layer, ...], policy: str, scope: Scope) -> tuple[Layer, ...]:
    """The layers, each with its recommendation as the policy has it."""

    if policy == "following":
        return layers
    if policy == "calibrated":
        layers = tuple(map(_before_calibration, layers))
    orthogonal = Preferences(distribution="orthogonal")

    def found(layer: Layer) -> Layer:
        if matrices_of(layer) and scope.reforms(layer):
            held = scope.present[layer.parameter].held
            as_large = Initializer("normal_", {"std": held.std}, held.std, reason=_AS_LARGE)
            layer = replace(layer, recommended=as_large)
        wanted = layer.recommended
        # Orthogonal rows have means; calibration takes the means away itself.
        if wanted is not None and wanted.name == CENTRED and policy == "orthogonal":
            return layer
        return preferred([layer], orthogonal)[0] if matrices_of(layer) else layer

    return tuple(map(found, layers))


def _before_calibration(layer: Layer) -> Layer:
    """The layer with the initialiser that calibration starts from.

    It differs from the recommended one in two cases. The last layer of a residual branch without
    normalisation gets 1/branches of the variance, instead of zero: then all branches together at
    most double the variance of the stream (Hanin and Rolnick 2018, arXiv 1803.01719). A layer whose
    result is normalised keeps the scale of PyTorch's default: a larger one would only divide the
    learning rate.
    """
    if not layer.recommended or not layer.fan_in:
        return layer
    if layer.branch == "last":
        std = 1 / math.sqrt(layer.fan_in * max(1, layer.branches))
        reason = "variance 1/branches: all branches add at most the stream's variance"
    elif "norm" in layer.following.via:
        std = 1 / math.sqrt(3 * layer.fan_in)
        reason = "a normalisation cancels the scale: PyTorch's default"
    else:
        return layer
    found = Initializer("normal_", {"std": std}, std, reason=reason)
    return replace(layer, recommended=found)
