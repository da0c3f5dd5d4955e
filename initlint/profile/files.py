"""The signal through the models of files, which are read: nothing is imported, run or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from initlint.graph.ops import Op
from initlint.graph.signal import predicted
from initlint.graph.signal_terms import Given
from initlint.graph.signal_weighted import Known
from initlint.profile.predicted import Named, assumed_of, rows_of
from initlint.profile.signals import DEFAULT, PRESENT, RECOMMENDED, Signals
from initlint.project.imports import Imports
from initlint.project.sourcefiles import Texts
from initlint.reading import read
from initlint.reading.models.layers import Followed, initializer
from initlint.reading.models.signal import given
from initlint.reading.objects.use import Use
from initlint.recommend import with_recommendations
from initlint.records import Finding, Initializer, Layer
from initlint.torchlib.draws import Draw

READ = "not measured: a path is read, and nothing is run; name a model to measure it, as net.py:Net"
_NOMINAL = "sizes that the code does not decide are taken for equal; ratios do not depend on them"


def signals_of(
    paths: Sequence[str], texts: Texts, findings: Sequence[Finding]
) -> tuple[Signals, ...]:
    """The signal through every model of the files that is followed; `findings` are theirs."""
    along = Imports(texts).of(paths)
    python = {path: texts.python(path) for path in (*paths, *along.files)}
    found = read(
        paths, python, parameters=False, imported=along.files, graphs=True, starts=along.starts
    )
    return tuple(_signals(graph, findings) for graph in found.graphs if _has_weights(graph))


def _has_weights(graph: Followed) -> bool:
    return any(op.weights for op in graph.drawn.ops)


def _signals(graph: Followed, findings: Sequence[Finding]) -> Signals:
    reported = {
        n for f in findings if f.model == graph.model for n in f.parameters or (f.parameter,)
    }
    layers = {layer.parameter: layer for layer in with_recommendations(graph.layers)}
    ops, named = graph.drawn.ops, _names(graph)
    names = {number: place.parameter for number, place in graph.names.items()}
    # What a constructor has filled is told by the uses that were met, not by those in the graph.
    met = {int(found.weight.parameter): use for use, found in graph.drawn.met}
    in_graph = [use for op in ops for use in op.weights]
    held = {id(use): met.get(number, use) for number, use in enumerate(in_graph)}
    present = given(ops, names, lambda use: initializer(held[id(use)]))
    ways = {
        PRESENT: present,
        RECOMMENDED: _recommended(present, layers, reported),
        DEFAULT: given(ops, names, _default),
    }
    rows = {
        way: rows_of(graph.model, ops, predicted(ops, known), named) for way, known in ways.items()
    }
    notes = (READ, _NOMINAL) if any(layer.nominal for layer in layers.values()) else (READ,)
    return Signals(graph.model, rows, assumed_of(ops), notes)


def _recommended(present: Given, layers: Mapping[str, Layer], reported: set[str]) -> Given:
    """The weights as --fix and `apply_` leave them: those with a finding get what they need."""

    def filled(weight: Known) -> Known:
        layer = layers.get(weight.name)
        wanted = layer.recommended if layer is not None else None
        if layer is None or wanted is None or wanted.std is None:
            return weight
        if layer.parameter not in reported:
            return weight
        return weight._replace(mean=0.0, std=wanted.std, bias=(0.0, 0.0), initializer=wanted.name)

    return replace(present, weights=lambda op: [filled(one) for one in present.weights(op)])


def _default(use: Use) -> Initializer | None:
    """How torch's constructor fills a weight; of a bare parameter, how it is filled."""
    draw: Draw = use.draw
    while draw.before is not None:
        draw = draw.before
    return initializer(use.holding(draw if draw.default else use.draw))


def _names(graph: Followed) -> Callable[[Op], Named]:
    """The names of the first weight of an operation."""
    numbers: dict[Op, int] = {}
    count = 0
    for op in graph.drawn.ops:
        numbers[op] = count
        count += len(op.weights)

    def named(op: Op) -> Named:
        use: Any = op.weights[0]
        place = graph.names.get(str(numbers[op]))
        if place is None:
            return Named(use.slot.name, use.slot.name, use.type)
        return Named(place.parameter, place.layer or place.parameter, use.type)

    return named
