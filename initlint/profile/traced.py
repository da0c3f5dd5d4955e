"""The signal through a live model: predicted from its graph, measured in runs of copies."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from initlint.fill.filling import apply_
from initlint.fill.probes import Probes, probes_for
from initlint.fill.undo import same_random_state
from initlint.graph.ops import Op
from initlint.graph.signal import predicted
from initlint.profile.measure import Uses, measured
from initlint.profile.predicted import Named, assumed_of, rows_of
from initlint.profile.signals import DEFAULT, PRESENT, RECOMMENDED, Row, Signals
from initlint.records import InitlintError
from initlint.tracing.build import described, where
from initlint.tracing.capture import unwrapped
from initlint.tracing.foreign import contained
from initlint.tracing.signal import given, graphed, measured_content
from initlint.tracing.unchanged import LAZY, unchanged
from initlint.tracing.walks import refuse_strange

# Draws the numbers of the inputs and of the two other initialisations.
_SEED = 0
_GIVEN = "the prediction assumes inputs with the moments of the given ones"


def signals(model: nn.Module, name: str, inputs: Sequence[Any]) -> Signals:
    """The signal through `model`, in three ways; it stays as it is, and so do all random states.

    Every run is that of a copy. Raises InitlintError if the model cannot be copied or captured.
    """
    refuse_strange(model)
    if any(parameter.is_meta for parameter in model.parameters()):
        what = "its parameters are on the meta device, and have no values"
        raise InitlintError(f"{name}: {what}; give the class, or the model materialized")
    with same_random_state(model), unchanged(model):
        bare, _ = unwrapped(model)
        # Lazy modules of torch's can be copied once, and these runs are of a copy, too.
        probes = probes_for(bare, inputs, _SEED)
        copied = _copied(bare, name)
        _give_shapes(copied, probes, name)
        return _signals(copied, name, inputs, probes)


def _signals(model: nn.Module, name: str, inputs: Sequence[Any], probes: Probes) -> Signals:
    """The signal through a model that can be copied again; it stays as it is."""
    is_given = any(isinstance(value, torch.Tensor) for value in pytree.tree_leaves(list(inputs)))
    graph = graphed(model, name, inputs, (probes.args, probes.kwargs), is_given)
    notes: dict[str, None] = {}
    rows: dict[str, tuple[Row, ...]] = {}
    for way, fill in _WAYS.items():
        filled = _copied(model, name)
        try:
            with contained():
                fill(filled, inputs)
        except Exception as error:
            notes[f"{way}: not known: {described(error)}"] = None
            continue
        known = given(measured_content(filled), graph.shapes, arriving=graph.arriving)
        found = predicted(graph.ops, known)
        rows[way] = rows_of(name, graph.ops, found, _names(filled))
        if way == PRESENT and not inputs:
            notes[f"the inputs are noise, in a shape that was guessed: {_shapes(probes)}"] = None
        with _noted(name, notes):
            rows[way] = _beside(rows[way], measured(filled, probes))
    return Signals(name, rows, _GIVEN if is_given else assumed_of(graph.ops), tuple(notes))


def _shapes(probes: Probes) -> str:
    """The shapes of the inputs of a run: 2×3×224×224."""
    named = [*(("", value) for value in probes.args), *probes.kwargs.items()]
    found = []
    for name, value in named:
        for leaf in pytree.tree_leaves(value):
            if isinstance(leaf, torch.Tensor):
                kind = "" if leaf.is_floating_point() else f"{str(leaf.dtype)[6:]} "
                size = "×".join(map(str, leaf.shape)) or "a scalar"
                found.append(f"{name}{'=' if name else ''}{kind}{size}")
    return ", ".join(found) or "no tensor"


@contextlib.contextmanager
def _noted(name: str, notes: dict[str, None]) -> Iterator[None]:
    """Note why a run fails."""
    try:
        with contained():
            yield
    except Exception as error:
        why = f"{where(error, name)}: the run ends in {described(error)}"
        notes[f"not measured: {why}"] = None


def _copied(model: nn.Module, name: str) -> nn.Module:
    try:
        with contained():
            return copy.deepcopy(model)
    except Exception as error:
        why = f"cannot be copied, and only copies are run: {described(error)}"
        raise InitlintError(f"{where(error, name)}: {why}") from error


def _give_shapes(model: nn.Module, probes: Probes, name: str) -> None:
    """Run a model with lazy parameters, so that they get a shape."""
    if not any(isinstance(parameter, LAZY) for parameter in model.parameters()):
        return
    try:
        with contained(), torch.no_grad():
            model(*probes.args, **probes.kwargs)
    except Exception as error:
        raise InitlintError(f"{where(error, name)}: the run ends in {described(error)}") from error


def _as_it_is(model: nn.Module, inputs: Sequence[Any]) -> None:
    """The present initialisation."""


def _as_recommended(model: nn.Module, inputs: Sequence[Any]) -> None:
    """Mend the findings, as --fix does."""
    apply_(model, *inputs, seed=_SEED)


def _as_default(model: nn.Module, inputs: Sequence[Any]) -> None:
    """Draw the parameters of torch's own layers as their constructors do, inner layers first."""
    torch.manual_seed(_SEED)
    for module in reversed(list(model.modules())):
        kinds = [k for k in type(module).__mro__ if k.__module__.startswith("torch.nn.modules")]
        draws = (vars(kind).get(name) for kind in kinds for name in _DRAWING)
        draw = next((found for found in draws if found is not None), None)
        if draw is not None:
            draw(module)


_DRAWING = ("reset_parameters", "_reset_parameters")
_WAYS: dict[str, Callable[[nn.Module, Sequence[Any]], None]] = {
    PRESENT: _as_it_is,
    RECOMMENDED: _as_recommended,
    DEFAULT: _as_default,
}


def _names(model: nn.Module) -> Callable[[Op], Named]:
    """The names of the first weight of an operation."""
    modules = dict(model.named_modules(remove_duplicate=False))

    def named(op: Op) -> Named:
        weight = op.weights[0]
        layer = weight.parameter.rpartition(".")[0]
        holder = modules.get(layer)
        is_torch = holder is not None and type(holder).__module__.startswith("torch.")
        if not is_torch or holder is None:
            return Named(weight.parameter, weight.parameter, weight.type)
        return Named(weight.parameter, layer, type(holder).__name__)

    return named


def _beside(rows: Sequence[Row], uses: Uses) -> tuple[Row, ...]:
    """The rows with what was measured; a parameter's uses are in the order of the run in both."""
    turns: dict[str, int] = {}
    found = []
    for row in rows:
        # A weight that two layers share is used by both.
        first = uses.first_name(row.parameter)
        turn = turns.get(first, 0)
        turns[first] = turn + 1
        noted = uses.of(row.parameter)
        result, gradient = noted[turn] if turn < len(noted) else (None, None)
        found.append(replace(row, measured=result, measured_gradient=gradient))
    return tuple(found)
