"""The predicted signal of a model as it is, against that with recommended initialisers.

A run is what lies between two normalisations, the model's inputs and its results: a factor in it
reaches all of it. Two predictions are compared at every layer of the run, so that what skips,
branches, pooling and padding do to the signal counts as it is, and is no layer's fault.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from initlint.graph.branches import Charge, free
from initlint.graph.ops import Op
from initlint.graph.signal import predicted
from initlint.graph.signal_cost import cost
from initlint.graph.signal_terms import Given
from initlint.graph.signal_weighted import Known
from initlint.recommend import recommended, remedy, weakens
from initlint.recommend.couplings import in_couplings
from initlint.recommend.loud import last_layers, may_be_loud
from initlint.recommend.question import in_question, may_be_off, scheme
from initlint.recommend.runs import is_lookup, on_paths, read, runs
from initlint.recommend.sums import beside_sums
from initlint.recommend.wholes import with_wholes
from initlint.records import Layer, Signal

# How far the signal is off (log of a ratio), at which layer, and at which of its inputs.
_Found = tuple[float, Op, Op]
# A signal that is off by no more than this is right.
_MATTERS = 2.0
# Of data that are far louder than 1, so little has to be left before more is worth while.
_FAINT = 0.01
# Behind a first layer that is made stronger have to be so many layers, or it does harm
# (docs/trains.md, "The first layer before GELU").
_SEVERAL = 2
# What may lie between a layer and its normalisation.
_PASSING = ("shape", "dropout", "scale", "choice")


def with_signals(
    layers: Sequence[Layer], ops: Sequence[Op], given: Given, charge: Charge = free
) -> list[Layer]:
    """The layers of one graph, those in question with the signal of their run.

    `Known.name` is the parameter of the layer. Nothing is predicted if no layer is in question;
    else `charge` counts the operations before.
    """
    weighed = (replace(x, recommended=recommended(x)) for x in layers if may_be_off(x))
    factors = {layer.parameter: remedy(layer) for layer in weighed if in_question(layer)}
    heads = [op for op in last_layers(ops) if may_be_loud(op, given)]
    if not factors and not heads:
        return with_wholes(layers, ops, given, factors, charge)
    charge(2 * cost(ops))
    names = {x.parameter: x.layer or x.parameter for x in layers}
    chosen = {x.parameter for x in layers if scheme(x) == "explicit"}
    outlook = _Outlook(ops, given, factors, names, chosen, charge)
    signals = outlook.signals()
    firsts = [x.parameter for x in layers if weakens(x) and not x.harmless]
    signals |= outlook.of_first(firsts, {name for name in factors if name not in chosen})
    for name, rms in outlook.results(heads).items():
        signals[name] = replace(signals.get(name, Signal()), result=rms)
    found = [
        replace(layer, signal=signals[layer.parameter]) if layer.parameter in signals else layer
        for layer in layers
    ]
    return with_wholes(found, ops, given, factors, charge)


class _Outlook:
    """Two predictions of one graph, compared run by run."""

    def __init__(
        self,
        ops: Sequence[Op],
        given: Given,
        factors: Mapping[str, float],
        names: Mapping[str, str],
        chosen: Collection[str],
        charge: Charge,
    ) -> None:
        self._ops, self._names, self._factors = ops, names, factors
        given = self._given = replace(given, is_raw=True)
        self._weights = {op: tuple(given.weights(op)) for op in ops if op.weights}
        self._present = predicted(ops, replace(given, weights=self._as_they_are))
        self._recommended = predicted(ops, replace(given, weights=self._as_recommended))
        self._runs = runs(ops, self._present)
        self._spared = beside_sums(ops, self._present) | in_couplings(ops, charge)
        self._users: dict[Op, list[Op]] = {op: [] for op in ops}
        for op in ops:
            for value in op.inputs:
                self._users[value].append(op)
        others = self._holding([name for name in factors if name not in chosen])
        self._unchosen = {read(op, self._runs) for op in others}
        self._ahead, self._back = self._on_paths()

    def _as_they_are(self, op: Op) -> Sequence[Known]:
        return self._weights.get(op, ())

    def _as_recommended(self, op: Op) -> Sequence[Known]:
        return [
            weight.scaled(self._factors[weight.name])
            if weight.name in self._factors and weight.std is not None
            else weight
            for weight in self._weights.get(op, ())
        ]

    def signals(self) -> dict[str, Signal]:
        """By every parameter in question the signal on the paths through it, of several the worst.

        Networks that read the same data are in one run, but do not see each other.
        """
        found_signals: dict[str, Signal] = {}
        for op, weights in self._weights.items():
            if op in self._spared:
                continue
            for weight in weights:
                if weight.name in self._factors:
                    signal = self._signal_at(op)
                    found_signals[weight.name] = _worse(found_signals.get(weight.name), signal)
        return found_signals

    def _on_paths(self) -> tuple[dict[Op, _Found], dict[Op, _Found]]:
        """By every operation where its paths are furthest off, forward and backward."""
        ahead: dict[tuple[Op, Op], _Found] = {}
        back: dict[tuple[Op, Op], _Found] = {}
        for op in self._ops:
            # A layer whose weight is computed reads what arrives like any other.
            if not (op.weights or op.final or op.role == "weighted"):
                continue
            if read(op, self._runs) not in self._unchosen and self._is_restored(op):
                continue
            for value in op.inputs:
                if self._runs[value] is not read(op, self._runs):
                    continue
                if op.final or not is_lookup(op):
                    ahead[op, value] = (self._off(value), op, value)
                if op.weights and value not in self._present.loose:
                    back[op, value] = (self._off_back(value), op, value)
        paths = (on_paths(self._ops, self._runs, side, _further) for side in (ahead, back))
        return next(paths), next(paths)

    def _is_restored(self, op: Op) -> bool:
        """Whether a result goes nowhere but into normalisations, and is not as small as their eps.

        So the first layer of a DCGAN's critic may have the std 0.02 of all others.
        """
        users = self._users[op]
        if op.role == "norm":
            return abs(self._off(op)) < math.log(_MATTERS)
        if op.final or not users or (op.role not in _PASSING and not op.weights):
            return False
        return all(user.role in (*_PASSING, "norm") and self._is_restored(user) for user in users)

    def of_first(self, firsts: Collection[str], behind: Collection[str]) -> dict[str, Signal]:
        """By each of these first layers the signal on its paths, if they end in one that is off.

        `behind` are the parameters in question that a rule may report; at least two of its run.
        """
        if not firsts:
            return {}
        off = Counter(read(op, self._runs) for op in self._holding(behind))
        reach = {run for run, count in off.items() if count >= _SEVERAL}
        signals: dict[str, Signal] = {}
        for op in self._holding(firsts):
            signal = self._signal_at(op)
            furthest = max(_far(signal.forward), _far(signal.backward))
            if read(op, self._runs) in reach and furthest > _MATTERS:
                signals |= {weight.name: signal for weight in self._weights[op]}
        return signals

    def _signal_at(self, op: Op) -> Signal:
        return self._signal(read(op, self._runs), self._ahead.get(op), self._back.get(op))

    def _holding(self, names: Collection[str]) -> list[Op]:
        """The operations with a weight of one of these names."""
        holding = [op for op, ws in self._weights.items() if any(w.name in names for w in ws)]
        return [op for op in holding if op not in self._spared]

    def results(self, heads: Iterable[Op]) -> dict[str, float]:
        """By the parameter of each of these layers, the rms of its result.

        Other layers that are off have recommended initialisers: other rules report them. Left out
        are those behind an operation that is not known, to which all would be relative.
        """
        found: dict[str, float] = {}
        for op in heads:
            if not self._present.starts.get(self._runs[op.inputs[0]]):
                rms = self._recommended.values[op].rms / self._loudness(read(op, self._runs))
                found |= {weight.name: rms for weight in self._weights[op]}
        return found

    def _off(self, value: Op) -> float:
        """log of the present rms against the recommended one.

        0 where data that are far from unit scale come nearer to it as they are: with pixels from 0
        to 255, PyTorch's default may fade them to what the loss can bear.
        """
        present, wanted = (x.values[value].q for x in (self._present, self._recommended))
        is_nearer = abs(_log_ratio(present, 1.0)) <= abs(_log_ratio(wanted, 1.0))
        is_faint = present < _FAINT**2 or wanted < 1
        if self._loudness(self._runs[value]) > 1 and (is_nearer or (present < 1 and not is_faint)):
            return 0.0
        return _log_ratio(present, wanted)

    def _off_back(self, value: Op) -> float:
        found = _log_ratio(self._present.gradients[value], self._recommended.gradients[value])
        rms = self._loudness(self._runs[value])
        # The gradient of a weight is multiplied by the data, too. Where recommended scales keep the
        # data loud, what is bounded saturates, and their gradient is the smaller one.
        return 0.0 if rms > 1 and math.log(_FAINT / rms) < found < math.log(rms) else found

    def _loudness(self, start: Op) -> float:
        """The rms of the data that a run begins with, if they are known to be loud; else 1."""
        known = self._given.arriving.get(start)
        return known.rms if known is not None else 1.0

    def _signal(
        self,
        start: Op,
        ahead: _Found | None,
        back: _Found | None,
    ) -> Signal:
        found = Signal()
        if ahead is not None:
            first = self._present.values[start].rms or 1.0
            factor, op, value = ahead
            arriving = self._present.values[value].rms / first
            found = Signal(self._name(op), math.exp(factor), arriving)
        if back is not None:
            factor, op, value = back
            returning = math.sqrt(self._present.gradients[value])
            found = replace(
                found, start=self._name(op), backward=math.exp(factor), returning=returning
            )
        return found

    def _name(self, op: Op) -> str:
        weights = self._weights.get(op, ())
        if not weights:
            return op.name if op.role == "weighted" else ""
        return self._names.get(weights[0].name, weights[0].name)


def _far(factor: float) -> float:
    return max(factor, 1 / factor) if factor > 0 else 1.0


def _log_ratio(present: float, wanted: float) -> float:
    if present <= 0 or wanted <= 0:
        return 0.0
    return 0.5 * math.log(present / wanted)


def _further(one: _Found, two: _Found) -> _Found:
    """The one that is further from right; of two alike, the first."""
    return two if abs(two[0]) > abs(one[0]) * (1 + 1e-6) else one


def _worse(one: Signal | None, two: Signal) -> Signal:
    if one is None:
        return two
    return max(one, two, key=lambda s: max(abs(math.log(s.forward)), abs(math.log(s.backward))))
