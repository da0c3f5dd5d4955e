"""The report on a filled model: what was done with every parameter and buffer, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import nn

from initlint.fill.apply import Choice, bias_of
from initlint.fill.normed import normed
from initlint.fill.present import Present
from initlint.fill.scope import Scope
from initlint.fill.shards import Part, parts_of, plain_name, tensors_of
from initlint.pipeline.asked import Report
from initlint.records import Initializer, Layer, Outcome
from initlint.tracing import measure

# Beginnings of the reasons for which a weight is left that initlint does not understand.
_NOT_UNDERSTOOD = ("what follows is", "the std that it needs is not known")
_OWN = "it keeps the initialisation of its own"


def report_on(
    model: nn.Module,
    layers: Sequence[Layer],
    choice: Choice,
    scope: Scope,
    policy: str = "",
) -> Report:
    """The report after filling: each filled layer has its measured std in `current`."""
    parts, filled = parts_of(model), {layer.parameter for layer in choice.layers}

    def now(layer: Layer) -> Layer:
        if layer.parameter not in filled or layer.recommended is None:
            return layer
        return replace(layer, current=replace(layer.recommended, std=_std(parts, layer)))

    after = tuple(map(now, layers))
    outcomes = _outcomes(model, choice, scope.present, {x.parameter: x for x in after})
    return Report(after, (), choice.skipped, outcomes=outcomes, scope=scope.name, policy=policy)


def _std(parts: Mapping[str, Part], layer: Layer) -> float | None:
    """The measured std of a filled weight; the expected one where too little of it is here."""
    local = parts[layer.parameter].local
    if local.numel() > 1:
        return measure.measured(local, None).std
    return layer.recommended.std if layer.recommended else None


def _outcomes(
    model: nn.Module,
    choice: Choice,
    present: Mapping[str, Present],
    layers: Mapping[str, Layer],
) -> tuple[Outcome, ...]:
    skipped = {gap.target: gap.reason for gap in choice.skipped}
    buffers = {plain_name(name) for name, _ in model.named_buffers()}
    sizes = {one.size: one.direction for one in normed(model) if one.direction in choice.sources}
    beside = set(map(bias_of, choice.given))

    def outcome(name: str) -> Outcome:
        before = present[name].words if name in present else "values that were not looked at"
        if name in sizes:
            why = "weight norm: so that the weight is as drawn"
            return Outcome(name, "filled", why, before, f"the norm of {sizes[name]}")
        if name in choice.followers:
            source = choice.followers[name]
            return Outcome(name, "filled", f"a frozen copy of {source}", before, f"as {source}")
        if name in choice.given:
            scheme = choice.given[name]
            return Outcome(name, "filled", scheme.reason, before, _after(scheme))
        if name in choice.sources:
            return Outcome(
                name, "filled", _scheme(layers.get(name)), before, _held(layers.get(name))
            )
        reason = skipped.get(name) or choice.fine.get(name)
        if name in beside:
            reason = reason or "the overrides name its weight alone"
        reason = reason or _rest(name, name in buffers, present.get(name))
        is_unknown = reason.startswith(_NOT_UNDERSTOOD)
        return Outcome(name, "unknown" if is_unknown else "kept", reason, before)

    return tuple(map(outcome, tensors_of(model)))


def _scheme(layer: Layer | None) -> str:
    """Why a parameter was filled as it was: the source of the scheme."""
    if layer is None:
        return "the bias of a filled layer"
    return layer.recommended.reason if layer.recommended else ""


def _held(layer: Layer | None) -> str:
    """What a filled parameter holds, in words."""
    return "zeros" if layer is None or layer.current is None else _after(layer.current)


def _after(held: Initializer) -> str:
    if not held.std:
        return f"the constant {held.mean:.4g}" if held.mean else "zeros"
    return f"{held.name}, std {held.std:.3g}"


def _rest(name: str, is_buffer: bool, found: Present | None) -> str:
    """Why a tensor that no layer multiplies its input with is kept."""
    if is_buffer:
        return "a buffer"
    if "bias" not in name.rpartition(".")[2]:
        return _OWN
    was_set = found is not None and found.kind in ("constant", "structured", "set")
    return "it was set" if was_set else "the bias of a layer that is kept"
