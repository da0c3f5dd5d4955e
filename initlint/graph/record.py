"""Makes the record of a weight from all its uses in the graphs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from initlint.graph.follow import Use, combined
from initlint.graph.packing import packed_in
from initlint.graph.recurrence import INPUT, STATE
from initlint.records import Initializer, Layer, Site

_PRENORM = "its input comes from a normalisation"
_NORM = "a normalisation cancels its scale"
_SHIELDED = "a normalisation is between it and its activation"
_GATING = "it only scales another value by a factor between 0 and 1"
_REPARAMETRISED = "the weight is reparametrised"
_MULTIPLIED = f"{_REPARAMETRISED}: the code multiplies by a number what goes in or comes out"
# Within this factor it is no other scale.
_SLIGHT = 1.25
_RECURRENT = "the weight is recurrent"


def layer_of(
    group: Sequence[Use],
    bare: int,
    *,
    model: str,
    layer: str,
    parameter: str,
    type: str,
    current: Initializer | None,
    site: Site | None,
    nominal: bool = False,
    uneven: bool = False,
    states: Collection[str] = (),
    reason: str = "",
    names: Mapping[str, str] | None = None,
    counted: str = "",
) -> Layer:
    """The record of a weight that is used at one or more places of a graph.

    `bare` is the number of residual branches without normalisation in the model, `states` are the
    parameters in the graph that are multiplied with their own results. `reason` is why the weight's
    scale may not matter, where its uses together do not tell. `names` are the parameters' names in
    the record, where they are not those of the graph.
    """
    first, last = group[0], group[-1]
    before, after = first.upstream.before, last.downstream.after
    if names is not None:
        # Another use of the same parameter is no neighbour.
        before, after = (
            None if end is None or names.get(end) == parameter else names.get(end)
            for end in (before, after)
        )
    return Layer(
        model=model,
        layer=layer,
        parameter=parameter,
        type=type,
        shape=first.weight.shape,
        fan_in=first.weight.fan_in,
        fan_out=first.weight.fan_out,
        following=combined(use.following for use in group),
        current=current,
        site=site,
        before=before,
        after=after,
        origin=first.upstream.origin,
        closed=all(use.downstream.closed for use in group),
        harmless=harmless(group, current is not None and current.default) or reason,
        branch=first.branch,
        branches=bare,
        head=not any(use.downstream.weighted for use in group),
        shown=any(use.downstream.shown for use in group),
        nominal=nominal,
        uneven=uneven,
        spread=first.weight.spread,
        dropped=min(use.upstream.dropped for use in group),
        recurrent=_recurrent(group, states),
        stacked=first.weight.stacked,
        counted=counted,
        times=_other_factor(first, names),
        parts=max(packed_in(type, parameter.rpartition(".")[2]), *(use.parts for use in group)),
    )


def _other_factor(use: Use, names: Mapping[str, str] | None) -> str | None:
    return (names or {}).get(use.times, use.times) or None


def is_state(group: Sequence[Use]) -> bool:
    """Whether a weight, used at these places, is multiplied with its own earlier result."""
    fixed = {use.weight.recurrent for use in group}
    if INPUT in fixed:
        return False
    return STATE in fixed or (len(group) > 1 and any(use.again for use in group))


def _recurrent(group: Sequence[Use], states: Collection[str]) -> str:
    if is_state(group):
        return STATE
    joined = any(use.joins in states or use.weight.recurrent == INPUT for use in group)
    return INPUT if joined else ""


def _is_cancelled(use: Use) -> bool:
    return use.downstream.cancelled and not use.weight.biased and not use.weight.following


def _factor(use: Use, is_default: bool) -> float:
    """By which number the code multiplies a weight in effect.

    Where nobody has chosen a scale, a factor of the model's own input is that of data (`x / 255`).
    A factor of a query is that of attention, 1/sqrt(d).
    """
    is_of_data = use.upstream.before is None and is_default
    before = 1.0 if is_of_data else use.upstream.factor
    return before if use.following.activation == "attention" else before * use.downstream.factor


def harmless(group: Sequence[Use], is_default: bool = False) -> str:
    """Why the scale of a weight cannot matter at any of its uses; empty if it may.

    `is_default` is True for a weight that has PyTorch's own default.
    """
    if any(use.weight.reparametrised for use in group):
        return _REPARAMETRISED
    if any(not 1 / _SLIGHT <= _factor(use, is_default) <= _SLIGHT for use in group):
        return _MULTIPLIED
    if is_state(group):
        return _RECURRENT
    if all(use.downstream.settled or _is_cancelled(use) for use in group):
        return _NORM
    if all("norm" in use.following.via for use in group):
        return _SHIELDED
    if all(use.downstream.gating for use in group):
        return _GATING
    # The scale of the result may matter all the same.
    return _PRENORM if all(use.upstream.normalised for use in group) else ""
