"""Targets to layers by building and tracing: classes, factories, live models, names of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from initlint.needs import need_torch
from initlint.records import InitlintError, Layer, Unanalysed
from initlint.targets import is_model

if TYPE_CHECKING:
    from initlint.trace.build import Built

Signatures = Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Traced:
    """The layers of all models, what could not be traced, and the shapes of their state dicts."""

    layers: tuple[Layer, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()
    signatures: Signatures = field(default_factory=dict)


def traced(
    targets: Sequence[Any], arguments: Mapping[str, Any], inputs: Sequence[Any] = ()
) -> Traced:
    """Build and trace every target; one that a name stands for and that cannot be is a gap."""
    built: list[Built] = []
    gaps: list[Unanalysed] = []
    for target in targets:
        try:
            found = _built(target, arguments)
        except InitlintError as error:
            if not isinstance(target, str):
                raise
            gaps.append(Unanalysed(target, str(error)))
            continue
        gaps += [model for model in found if isinstance(model, Unanalysed)]
        built += [model for model in found if not isinstance(model, Unanalysed)]
    if not built:
        return Traced((), tuple(gaps))
    layers, failed = _layers(built, inputs)
    return Traced(layers, (*gaps, *failed), _signatures(built))


def _signatures(built: Sequence[Built]) -> Signatures:
    """The shapes in every model's state dict; () for what has none before the first forward."""
    from initlint.trace.weights import shape_of

    return {
        model.name: {name: shape_of(value) for name, value in model.model.state_dict().items()}
        for model in built
    }


def _built(target: Any, arguments: Mapping[str, Any]) -> Sequence[Built | Unanalysed]:
    """The models that a target stands for."""
    need_torch("building a model")
    from torch import nn

    from initlint.trace import build

    if isinstance(target, nn.Module):
        return [build.Built(type(target).__name__, target, None)]
    if not isinstance(target, str):
        name = getattr(target, "__qualname__", type(target).__name__)
        return [build.construct(target, name, arguments)]
    if is_model(target):
        return [build.build(target, arguments)]
    return build.build_all(target, arguments)


def _layers(
    built: Sequence[Built], inputs: Sequence[Any]
) -> tuple[tuple[Layer, ...], tuple[Unanalysed, ...]]:
    from initlint.trace.build import quiet
    from initlint.trace.capture import CaptureError
    from initlint.trace.layers import layers_of

    layers: list[Layer] = []
    gaps: list[Unanalysed] = []
    for model in built:
        try:
            with quiet():
                layers.extend(layers_of(model, inputs))
        except CaptureError as error:
            gaps.append(Unanalysed(model.name, str(error)))
    return tuple(layers), tuple(gaps)
