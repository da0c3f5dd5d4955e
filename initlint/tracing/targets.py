"""Targets to layers by building and tracing: classes, factories, live models, names of them."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from initlint.project.targets import is_model, of_model
from initlint.records import Call, InitlintError, Layer, Parameter, Unanalysed
from initlint.tracing.needs import need_torch

if TYPE_CHECKING:
    from initlint.tracing.build import Built

Signatures = Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Traced:
    """The records of all models, what could not be traced, and the shapes of their state dicts.

    `alone` names the models of classes of which importing a file has left no live model.
    """

    layers: tuple[Layer, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    calls: tuple[Call, ...] = ()
    gaps: tuple[Unanalysed, ...] = ()
    signatures: Signatures = field(default_factory=dict)
    alone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Given:
    """The options for building models: constructor arguments and example inputs.

    `begun` is called with the name of each model before its code runs; `spared` are not built.
    """

    arguments: Mapping[str, Any]
    inputs: Sequence[Any]
    begun: Callable[[str], None]
    spared: Collection[str]


def traced(
    targets: Sequence[Any],
    arguments: Mapping[str, Any],
    inputs: Sequence[Any] = (),
    begun: Callable[[str], None] = lambda name: None,
    spared: Collection[str] = (),
) -> Traced:
    """Build and trace every target; a named target for which this fails gives a gap.

    `begun` is called with the name of each model before its code runs; models named in `spared` are
    not built. Afterwards the process is as it was before, except for imported modules.
    """
    # Columns are counted in what linecache has, which may be from an earlier call.
    linecache.checkcache()
    given = _Given(arguments, inputs, begun, spared)
    return together([_traced(target, given) for target in targets])


def together(found: Sequence[Traced]) -> Traced:
    """One answer of several."""
    return Traced(
        tuple(layer for one in found for layer in one.layers),
        tuple(parameter for one in found for parameter in one.parameters),
        tuple(call for one in found for call in one.calls),
        tuple(gap for one in found for gap in one.gaps),
        {name: shapes for one in found for name, shapes in one.signatures.items()},
        tuple(name for one in found for name in one.alone),
    )


def _traced(target: Any, given: _Given) -> Traced:
    """The layers of one target; what its code changes in the process lasts until they are had."""
    try:
        if isinstance(target, str) and is_model(target):
            of_model(target)
        need_torch("building a model")
    except InitlintError as error:
        return _failed(target, str(error), error)
    from initlint.tracing.build import described, where
    from initlint.tracing.foreign import foreign

    try:
        with foreign():
            found = _built(target, given)
            return together(_layers_of_all(found, target, given))
    except InitlintError as error:
        return _failed(target, str(error), error)
    except Exception as error:
        reason = f"{where(error, _name_of(target))}: cannot be built: {described(error)}"
        return _failed(target, reason, error)


def _failed(target: Any, reason: str, error: Exception) -> Traced:
    """A gap for a target given by name; raises InitlintError for a target given as an object."""
    if isinstance(target, str):
        return Traced(gaps=(Unanalysed(target, reason),))
    raise InitlintError(reason) from error


def _name_of(target: Any) -> str:
    return target if isinstance(target, str) else _class_or_function(target)


def _class_or_function(target: Any) -> str:
    from initlint.tracing.foreign import asked, kind_of

    name = asked(lambda: target.__qualname__, None)
    return name if isinstance(name, str) else kind_of(target)


def _built(target: Any, given: _Given) -> Sequence[Built | Unanalysed]:
    """The models of a target."""
    from torch import nn

    from initlint.tracing import build
    from initlint.tracing.foreign import kind_of

    if isinstance(target, nn.Module):
        return [build.Built(kind_of(target), target, None)]
    if not isinstance(target, str):
        return [build.construct(target, _class_or_function(target), given.arguments)]
    given.begun(target)
    if is_model(target):
        return [build.build(target, given.arguments)]
    return build.build_all(target, given.arguments, given.begun, given.spared)


def _layers_of_all(found: Sequence[Built | Unanalysed], target: Any, given: _Given) -> list[Traced]:
    """The records of the models of a target; inputs go to those of them whose forward takes them.

    Raises InputsError if there is no such model.
    """
    from initlint.tracing.capture import InputsError

    taken: list[Traced] = []
    refused: dict[int, InputsError] = {}
    for place, model in enumerate(found):
        try:
            taken.append(_layers(model, target, given))
        except InputsError as error:
            refused[place] = error
            taken.append(Traced())
    others = [model for i, model in enumerate(found) if i not in refused]
    if refused and all(isinstance(model, Unanalysed) for model in others):
        # The error of a run says more than that of a name.
        raise max(refused.values(), key=lambda error: error.__cause__ is not None)
    for place in refused:
        taken[place] = _layers(found[place], target, replace(given, inputs=()))
    return taken


def _layers(model: Built | Unanalysed, target: Any, given: _Given) -> Traced:
    """The records of one model, and its parameters that cannot be judged."""
    from initlint.tracing.arriving import loud_data
    from initlint.tracing.build import described, where
    from initlint.tracing.capture import InputsError
    from initlint.tracing.foreign import contained
    from initlint.tracing.layers import recorded
    from initlint.tracing.measure import unusual
    from initlint.tracing.parameters import calls_of
    from initlint.tracing.process import restored
    from initlint.tracing.walks import refuse_strange

    if isinstance(model, Unanalysed):
        return Traced(gaps=(model,))
    given.begun(model.name)
    try:
        with contained(), restored():
            refuse_strange(model.model)
            layers, parameters = recorded(model, given.inputs)
            gaps = tuple(Unanalysed(f"{model.name}: {n}", why) for n, why in unusual(model.model))
            gaps += tuple(Unanalysed(model.name, why) for why in loud_data(layers, given.inputs))
            shapes = {model.name: _signature(model)} if isinstance(target, str) else {}
            is_alone = model.factory is not None and not is_model(str(target))
            alone = (model.name,) if is_alone else ()
            return Traced(layers, parameters, calls_of(model), gaps, shapes, alone)
    except InputsError:
        raise
    except InitlintError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{where(error, model.name)}: cannot be analysed: {described(error)}"
    return Traced(gaps=(Unanalysed(model.name, reason),))


def _signature(model: Built) -> Mapping[str, tuple[int, ...]]:
    """The shapes in a model's state dict; () for a lazy parameter, which has none yet."""
    from initlint.tracing.weights import shape_of

    return {name: shape_of(value) for name, value in model.model.state_dict().items()}
