"""Which weights are filled: those with a finding, those with a better recommendation, or all."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple

from initlint.fill.present import Present
from initlint.fill.summed import SUMMED
from initlint.recommend import weakens, with_recommendations
from initlint.records import InitlintError, Layer

# Measured: a field on positional encodings learns worse by half where its first layer is filled.
_DATA = "it sees the data, whose scale nobody knows, and its factor comes only once"
# Measured: a field of sines that is otherwise right learns up to ten times worse where its head is
# made louder, or its first layer is drawn for another frequency.
_SINES = "a net of sines learns worse with another scale in its first layer or its head"
# Rules on what layers do together.
_TOGETHER = ("INIT301", "INIT302", "INIT303")
# A rule that wants the scale of the layer's neighbours, which is not the recommended one.
_RELATIVE = "INIT013"
# Stds within this factor are one that was written for all.
_ALIKE = 1.2
# A recommendation within this factor of what is there is no other one.
_SAME = 1.01


class Kept(NamedTuple):
    """Why a weight keeps its values; empty if it is filled. `meant`: somebody set them."""

    reason: str = ""
    meant: bool = False


class Scope:
    """What is filled of what can be: by what a parameter holds, and by the findings.

    - findings: memory that nothing wrote, and layers with a finding.
    - recommended: also layers that hold PyTorch's default where something else is recommended,
      unless a hidden layer of the model is unknown: then all of them stay as they are.
    - all: every layer that has a recommendation; `summed`, those beside a sum over an unknown
      number of values, have none.

    The `policy` orthogonal also gives that form to the draws whose std is kept.
    """

    def __init__(
        self,
        name: str,
        present: Mapping[str, Present],
        layers: Sequence[Layer],
        summed: Collection[str] = (),
        policy: str = "following",
    ) -> None:
        self.name = name
        self._policy = policy
        self.present = present
        self._summed = summed
        self._reported = _reported(layers, present) if name != "all" else frozenset()
        self._sines = frozenset(x.parameter for x in layers if x.following.activation == "sin")
        unknown = [layer.parameter for layer in layers if _is_hidden_unknown(layer)]
        self._unknown = unknown[0] if unknown else ""

    def by_names(self, names: Mapping[str, Sequence[str]]) -> Scope:
        """The same for parameters that have other names, or several, besides those known."""

        def every(some: Collection[str]) -> frozenset[str]:
            return frozenset(some).union(own for name in some for own in names.get(name, ()))

        found = copy(self)
        found._reported, found._summed = every(self._reported), every(self._summed)
        found._sines = every(self._sines)
        return found

    def keeps(self, layer: Layer) -> Kept:
        """Why a layer's weight, which could be filled, is left as it is."""
        found = self.present.get(layer.parameter)
        if found is not None and found.kind == "unwritten":
            return Kept()
        if self.name == "all" or found is None:
            return Kept(SUMMED) if layer.parameter in self._summed else Kept()
        if found.is_meant:
            return Kept(f"it was set to {found.words}", meant=True)
        if self.name == "findings" and found.kind == "default" and self._is_left_alone(layer):
            return Kept("it feeds a recurrence" if layer.recurrent == "input" else _DATA)
        if layer.parameter in self._reported:
            return Kept()
        if found.kind != "default":
            return Kept(f"it was set, not drawn by PyTorch's default: {found.words}", meant=True)
        if self.name == "findings":
            return Kept(layer.harmless or "PyTorch's default does no harm here: no finding")
        if layer.parameter in self._summed:
            return Kept(SUMMED)
        if self._unknown:
            why = f"the hidden layer {self._unknown} is unknown, and layers are filled together"
            return Kept(why)
        if self._is_end_of_sines(layer):
            return Kept(_SINES)
        return Kept("PyTorch's default is what it needs") if _is_same(layer) else Kept()

    def reforms(self, layer: Layer) -> bool:
        """Whether a weight becomes orthogonal with the std that it has: a draw, which is kept.

        Recurrent weights have a recipe, and layers beside sums stay under every policy.
        """
        found = self.present.get(layer.parameter)
        if self._policy != "orthogonal" or found is None or not (found.is_drawn and found.held.std):
            return False
        if layer.recurrent or layer.recommended is None or layer.parameter in self._summed:
            return False
        return bool(self.keeps(layer).reason)

    def _is_end_of_sines(self, layer: Layer) -> bool:
        if layer.head:
            return layer.before in self._sines
        return layer.parameter in self._sines and _sees_data(layer)

    def _is_left_alone(self, layer: Layer) -> bool:
        is_along = weakens(layer) and layer.parameter in self._reported
        return _sees_data(layer) and not is_along

    def is_reported(self, name: str) -> bool:
        """Whether a weight has a finding; under the scope all, nobody asks."""
        return name in self._reported

    def keeps_bias(self, name: str) -> str:
        """Why the bias of a layer that is filled is left as it is; empty if it becomes zero."""
        found = self.present.get(name)
        if found is None or found.kind in ("unwritten", "default", "zeros"):
            return ""
        if found.kind == "constant":
            return f"it is a constant, {found.held.mean:.4g}, that was set"
        return f"it does not hold PyTorch's default: {found.words}"

    def refuse_unwritten(
        self, filled: Collection[str], wanted: Iterable[str], remedy: str = ""
    ) -> None:
        """Raise for wanted parameters and buffers that nothing wrote and nothing fills."""
        empty = [
            name
            for name in wanted
            if name not in filled
            and name in self.present
            and self.present[name].kind == "unwritten"
        ]
        if not empty:
            return
        shown = ", ".join(empty[:5]) + (", …" if len(empty) > 5 else "")
        count = "1 tensor is" if len(empty) == 1 else f"{len(empty)} tensors are"
        raise InitlintError(
            f"{count} uninitialised memory that no code writes ({shown}): {remedy}initialise them "
            "first, or leave them out with skip; nothing was changed"
        )


def behind_kept(layers: Sequence[Layer], filled: Collection[str], scope: Scope) -> frozenset[str]:
    """The weights whose data come, without a normalisation, from what somebody set and kept."""
    known = {layer.parameter: layer for layer in layers}
    kept = {name for name, x in known.items() if name not in filled and scope.keeps(x).meant}
    found: dict[str, bool] = {}
    for first in known:
        path, name = [], first
        while name in known and name not in found:
            found[name] = False
            path.append(name)
            name = known[name].before or ""
        for name in reversed(path):
            before = known[name].before or ""
            found[name] = before in kept or found.get(before, False)
    return frozenset(name for name, is_behind in found.items() if is_behind)


def with_present(layers: Sequence[Layer], present: Mapping[str, Present]) -> tuple[Layer, ...]:
    """The layers, with what their weights hold now as `current`."""
    return tuple(
        replace(layer, current=present[layer.parameter].held)
        if layer.parameter in present and present[layer.parameter].kind != "unknown"
        else layer
        for layer in layers
    )


def _reported(layers: Sequence[Layer], present: Mapping[str, Present]) -> frozenset[str]:
    """The weights with a finding of the rules that are on by default."""
    from initlint.judge import findings, load
    from initlint.project.select import Selection

    rules = load()
    judged = with_recommendations(with_present(layers, present))
    found = findings(judged, rules, Selection.default(rules).codes() - {_RELATIVE})
    names = {name for finding in found for name in finding.parameters}
    # What several layers do together is reported of the first.
    together = {name for one in found if one.code in _TOGETHER for name in one.parameters}
    first = [layer for layer in judged if layer.parameter in together]
    wholes = [whole for layer in first for whole in layer.wholes]
    names = names.union(*((*whole.layers, *whole.inner) for whole in wholes))
    for layer in first:
        if any(whole.kind in ("faint", "narrow") for whole in layer.wholes):
            names |= {other.parameter for other in judged if _is_as_small(other, layer)}
    return frozenset(names)


def _is_as_small(layer: Layer, writer: Layer) -> bool:
    """Whether a layer of a branch has the std that is too small for what writes into its stream.

    Measured: with that in the rest of the blocks, larger writers alone change nothing.
    """
    stds = [x.current.std for x in (layer, writer) if x.current is not None and x.current.std]
    is_inside = layer.origin == "norm" and not layer.head
    return is_inside and len(stds) == 2 and abs(math.log(stds[0] / stds[1])) < math.log(_ALIKE)


def _sees_data(layer: Layer) -> bool:
    """Whether no layer is before this one: its input is the model's own, or computed from it.

    Positional encodings are; so may be what an unknown function gives.
    """
    is_first = layer.before is None and layer.origin != "norm"
    return is_first and layer.recurrent != "state"


def _is_hidden_unknown(layer: Layer) -> bool:
    if layer.following.activation != "unknown" or "Embedding" in layer.type:
        return False
    # The last layer of a part whose model has no forward: something follows, but not in the part.
    is_end = layer.head and not layer.following.by
    used = layer.before or layer.after or layer.origin != "unknown" or layer.head
    return bool(used and not is_end)


def _is_same(layer: Layer) -> bool:
    now, wanted = layer.current, layer.recommended
    if now is None or wanted is None or not now.std or not wanted.std:
        return False
    return abs(math.log(now.std / wanted.std)) < math.log(_SAME)
