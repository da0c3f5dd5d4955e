"""What layers do together: runs that lose the signal or blow it up, streams that grow.

Each is worked out only where the weights alone make it possible, since a prediction takes time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from initlint.graph.branches import Charge, free
from initlint.graph.ops import Op
from initlint.graph.signal import predicted
from initlint.graph.signal_cost import cost
from initlint.graph.signal_terms import Given, Prediction
from initlint.graph.signal_weighted import Known
from initlint.recommend import has_mean, magnitude, recommended, sees_data
from initlint.recommend.loud import last_layers
from initlint.recommend.runs import runs
from initlint.recommend.streams import streams
from initlint.recommend.tokens import tokens
from initlint.records import Layer, Whole

# A factor over a run that is worth a prediction, and one that is worth a word.
_LIKELY, _FAR = 30.0, 100.0
# With recommended initialisers, the run has to be as near to 1 as this.
_MENDED = 10.0
# A layer whose factor is no further from 1 does its part.
_OFF = 1.25


def with_wholes(
    layers: Sequence[Layer],
    ops: Sequence[Op],
    given: Given,
    unsuited: Collection[str],
    charge: Charge = free,
) -> list[Layer]:
    """The layers of one graph, with what they do to the signal together.

    `unsuited` are the parameters that are in question by themselves. `charge` counts operations
    before their signal is predicted.
    """
    found: dict[str, list[Whole]] = {}
    lost = _runs(layers, ops, given, unsuited, charge)
    for whole in (*lost, *streams(layers, ops, given, charge), *tokens(layers, ops, given, charge)):
        found.setdefault(whole.layers[0], []).append(whole)
    return [
        replace(layer, wholes=(*layer.wholes, *found[layer.parameter]))
        if layer.parameter in found
        else layer
        for layer in layers
    ]


def _runs(
    layers: Sequence[Layer],
    ops: Sequence[Op],
    given: Given,
    unsuited: Collection[str],
    charge: Charge,
) -> Iterator[Whole]:
    """The runs in which layers without an activation lose the signal, or blow it up.

    Left out are those with a layer that is in question: rules on single layers report these.
    """
    factors = {layer.parameter: found for layer in layers if (found := _factor(layer)) != 1.0}
    lost = sum(math.log(factor) for factor in factors.values() if factor > 1)
    gained = -sum(math.log(factor) for factor in factors.values() if factor < 1)
    if max(lost, gained) < math.log(_LIKELY):
        return
    charge(2 * cost(ops))
    known = {op: tuple(given.weights(op)) for op in ops if op.weights}
    mended = {op: [_scaled(weight, factors) for weight in known[op]] for op in known}
    present = predicted(ops, replace(given, weights=lambda op: known.get(op, ())))
    better = predicted(ops, replace(given, weights=lambda op: mended.get(op, ())))
    for members in _members(ops, present):
        names = [weight.name for op in members for weight in known.get(op, ())]
        changed = tuple(dict.fromkeys(name for name in names if name in factors))
        if not changed or any(name in unsuited for name in names):
            continue
        own = [
            op for op in members if op.inputs and any(w.name in factors for w in known.get(op, ()))
        ]
        course = _Course(members, own, present)
        if course.is_far(_FAR) and not _Course(members, own, better).is_far(_MENDED):
            yield Whole("run", changed, course.forward, course.backward)


def _factor(layer: Layer) -> float:
    """The recommended std against that of a layer that only another linear layer follows.

    1 for any other layer, one that is about right, and one whose scale does not matter.
    """
    current = layer.current
    if layer.following.activation != "linear" or current is None or not current.std:
        return 1.0
    if layer.harmless or layer.branch or layer.recurrent or layer.head:
        return 1.0
    if sees_data(layer) and not has_mean(current):
        return 1.0
    wanted = recommended(layer)
    if layer.times or layer.nominal or wanted is None or not wanted.std:
        return 1.0
    factor = wanted.std / magnitude(current)
    return factor if max(factor, 1 / factor) > _OFF else 1.0


def _scaled(weight: Known, factors: Mapping[str, float]) -> Known:
    return weight.scaled(factors[weight.name]) if weight.name in factors else weight


def _members(ops: Sequence[Op], found: Prediction) -> Iterator[list[Op]]:
    """The operations of each run that ends in the model's result, in the order of the data."""
    starts = runs(ops, found)
    members: dict[Op, list[Op]] = {}
    for op in ops:
        members.setdefault(starts[op], []).append(op)
    for run in members.values():
        if any(op.final for op in run):
            yield run


class _Course:
    """The signal behind layers of one run, and the gradient that comes back to them."""

    def __init__(self, members: Sequence[Op], changed: Sequence[Op], found: Prediction) -> None:
        start = found.values[changed[0].inputs[0]]
        ends = [found.values[op] for op in changed]
        apart = max(0.0, start.q - start.examples)
        low = min(max(0.0, end.q - end.examples) for end in ends) / apart if apart else 1.0
        high = max(end.q for end in ends) / start.q if start.q else 1.0
        self.forward = _furthest(low, high)
        heads = [op for op in last_layers(members) if op.inputs[0] in found.gradients]
        last = max((found.gradients[op.inputs[0]] for op in heads), default=0.0)
        values = [op.inputs[0] for op in changed if op.inputs[0] not in found.loose]
        back = [found.gradients[value] / last for value in values if last]
        self.backward = _furthest(min(back, default=1.0), max(back, default=1.0))

    def is_far(self, factor: float) -> bool:
        """Whether the signal or the gradient is off by more than a factor."""
        return max(abs(math.log(self.forward)), abs(math.log(self.backward))) > math.log(factor)


def _furthest(low: float, high: float) -> float:
    """The root of the lowest or of the highest, whichever is further from 1; 1 if one is 0."""
    if low <= 0:
        return 1.0
    return math.sqrt(low if low * high < 1 else high)
