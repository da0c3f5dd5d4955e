"""A pipeline stage: one part of a model, filled as the whole model would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from initlint.fill.journal import Journal
from initlint.fill.present import Present, present_in
from initlint.fill.products import Products
from initlint.fill.shards import parts_of, plain_name
from initlint.fill.skeleton import constructed
from initlint.records import InitlintError, Layer
from initlint.tracing.build import construct
from initlint.tracing.foreign import kind_of


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole model, what its parameters hold, and the record of its construction, if there is one.

    Its own values count only for the parameters that the stage does not have.
    """

    model: nn.Module
    present: Mapping[str, Present]
    journal: Journal | None = None


def whole_of(given: Any) -> Whole:
    """The whole model: `given`, or what a class or function without arguments builds on meta."""
    if isinstance(given, nn.Module):
        return Whole(given, present_in(given))
    if not callable(given):
        kind = type(given).__name__
        raise InitlintError(f"whole takes a model, a class or a function, not {kind}")
    skeleton = constructed(given, {}, 0)
    if skeleton is None:
        model = construct(given, kind_of(given), {}, "cpu").model
        return Whole(model, present_in(model))
    present = present_in(skeleton.model, skeleton.journal)
    return Whole(skeleton.model, present, skeleton.journal)


def refuse_strangers(stage: nn.Module, whole: Whole) -> None:
    """Raise for a parameter of the stage that the whole model lacks, or has in another shape."""
    all_names = whole.model.named_parameters(remove_duplicate=False)
    there = {plain_name(name): tuple(tensor.shape) for name, tensor in all_names}
    parts = parts_of(stage)
    names = [plain_name(name) for name, _ in stage.named_parameters()]
    for name in names:
        if name not in there:
            raise InitlintError(
                f"{name} is a parameter of the stage, and whole ({kind_of(whole.model)}) has none "
                "of that name: a stage keeps the names that its parts have in the whole model"
            )
        shape = tuple(parts[name].shape) if name in parts else there[name]
        if shape != there[name]:
            raise InitlintError(
                f"{name} has the shape {shape} in the stage and {there[name]} in whole "
                f"({kind_of(whole.model)})"
            )


def within(stage: nn.Module, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers whose weights the stage has."""
    names = parts_of(stage)
    return tuple(layer for layer in layers if layer.parameter in names)


def products_within(stage: nn.Module, products: Products) -> Products:
    """The products of which the stage has all factors."""
    names = parts_of(stage)

    def kept(factors: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(other for other in others if other in names)
            for name, others in factors.items()
            if name in names
        }

    recurrent, summed = (
        frozenset(name for name in some if name in names)
        for some in (products.recurrent, products.summed)
    )
    scales, factors, before = map(kept, (products.scales, products.factors, products.before))
    computed = {
        name: tuple(pair for pair in pairs if pair[0] in names)
        for name, pairs in products.computed.items()
        if name in names
    }
    return Products(recurrent, scales, factors, before, computed, summed)
