"""A pipeline stage: one part of a model, filled as the whole model would be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from initlint.fill.apply import names_of
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


def names_within(stage: nn.Module, whole: Whole) -> dict[str, list[str]]:
    """All names of the stage's parameters: tied ones have those of other stages, too."""
    firsts = first_names(whole)
    every = names_of(whole.model)
    return {
        name: list(dict.fromkeys([*own, *every.get(firsts.get(name, name), [])]))
        for name, own in names_of(stage).items()
    }


def first_names(whole: Whole) -> dict[str, str]:
    """The first name of every parameter of the whole model, by which it is drawn, by all names."""
    return {name: names[0] for names in names_of(whole.model).values() for name in names}


def names_here(stage: nn.Module, whole: Whole) -> dict[str, tuple[str, ...]]:
    """The stage's names of the whole model's parameters, by their first name there.

    That one may be in another stage; torch makes several parameters of a tied one.
    """
    firsts = first_names(whole)
    found: dict[str, tuple[str, ...]] = {}
    for name in parts_of(stage):
        first = firsts.get(name, name)
        found[first] = (*found.get(first, ()), name)
    return found


def within(here: Mapping[str, Sequence[str]], layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers whose weights the stage has, by its names."""
    return tuple(
        replace(layer, parameter=name) for layer in layers for name in here.get(layer.parameter, ())
    )


def products_within(here: Mapping[str, Sequence[str]], products: Products) -> Products:
    """The products of which the stage has all factors."""

    def every(names: Iterable[str]) -> Iterator[str]:
        return (own for name in names for own in here.get(name, ()))

    def kept(factors: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            own: tuple(every(others))
            for name, others in factors.items()
            for own in here.get(name, ())
        }

    recurrent, summed = frozenset(every(products.recurrent)), frozenset(every(products.summed))
    scales, factors, before = map(kept, (products.scales, products.factors, products.before))
    computed = {
        own: tuple((other, number) for first, number in pairs for other in here.get(first, ()))
        for name, pairs in products.computed.items()
        for own in here.get(name, ())
    }
    return Products(recurrent, scales, factors, before, computed, summed)
