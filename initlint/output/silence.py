"""Why the rules are silent about a layer, in a few words, for the tables of layers."""

from __future__ import annotations

from collections.abc import Mapping

from initlint.judge import is_lazy, is_small_head, ratio, scheme
from initlint.project.sourcefiles import NOTEBOOK
from initlint.recommend import family, is_own_output, is_undecided, only_sees_data
from initlint.recommend.question import is_dropped, is_small_share
from initlint.records import Initializer, Layer, Report

_BRANCH = {"inside": "it is inside a residual branch", "last": "it ends a residual branch"}

_UNKNOWN = "unknown"
_UNKNOWN_BEHIND = "what follows it is not known"
_UNKNOWN_BEFORE = "what comes before it is not known"


def untold(report: Report) -> Mapping[tuple[str, str], str]:
    """Why findings were not reported, by the model and the parameter."""
    reasons = {}
    for findings, said in (
        (report.off, "{} is off here"),
        (report.known, "{} is known (baseline)"),
        (report.silenced, "a comment silences {}"),
    ):
        for finding in findings:
            for name in finding.parameters or (finding.parameter,):
                reasons[finding.model, name] = said.format(finding.code)
    return reasons


def silence(layer: Layer, reasons: Mapping[tuple[str, str], str]) -> str:
    """The reason: from `untold`, or else from the layer's own record; "" where that gives none."""
    told = reasons.get((layer.model, layer.parameter), "")
    return told or _unjudged(layer) or _suited(layer)


def is_unjudged(layer: Layer) -> bool:
    """Whether no rule on scales could speak, as what fills a weight or follows it is not known."""
    reason = _unjudged(layer)
    if reason or layer.current is None:
        return reason.startswith(_UNKNOWN_BEHIND)
    return ratio(layer) is None


def _unjudged(layer: Layer) -> str:
    """Why the scale is not judged."""
    activation = layer.following.activation
    if layer.harmless:
        return layer.harmless
    if is_own_output(layer):
        return "its activation is the model's own output"
    if layer.recurrent == "state":
        return "it is recurrent: an activation's gain is not the rule"
    if layer.recurrent == "input" and layer.current is not None and layer.current.default:
        return "it feeds a recurrence"
    if layer.branch:
        return _BRANCH.get(layer.branch, "")
    if activation == "unknown":
        by = layer.following.by
        return f"{_UNKNOWN_BEHIND}: {by}()" if by else _UNKNOWN_BEHIND
    if activation == "mixed":
        return "different activations follow"
    if family(layer) == "unscaled":
        return "no activation follows that asks for a gain"
    return ""


def _unclear(current: Initializer) -> str:
    """Why the std of a weight is not known: it is a name, or code that is not read may fill it."""
    if current.default:
        return "its fan_in is not known"
    if current.name != _UNKNOWN:
        return f"the std of its {current.name} is not a number in the source"
    if current.site is not None:
        # The lines of a notebook are counted in its cells.
        path, is_file = current.site.path, not current.site.path.endswith(NOTEBOOK)
        place = f"{path}:{current.site.line}" if is_file else path
        return f"what {place} fills it with is not known"
    if current.reason:
        return f"{current.reason}() is not read, and may fill it"
    return "code that is not read may fill it"


def _suited(layer: Layer) -> str:
    """Why a scale that is judged is accepted."""
    if layer.current is None:
        return "nothing initialises it"
    if layer.current.std is None:
        return _unclear(layer.current)
    value = ratio(layer)
    if is_undecided(layer):
        return "what it needs depends on two sizes that are names"
    if value is None:
        return "its fan_in is not known"
    if value == 1.0:
        if not only_sees_data(layer):
            return "its std suits"
        # Behind a GRU, or an operation that is not known, it may see anything.
        return "it sees the data" if layer.origin == "input" else _UNKNOWN_BEFORE
    if value < 1 and is_dropped(layer):
        return "dropout leaves out half of its input"
    if is_small_share(layer):
        return "it adds its share to a stream"
    if is_lazy(layer):
        return "it is lazy: as wide as its input"
    if value == 0.0 or is_small_head(layer):
        return "it is small on purpose"
    if scheme(layer) == "explicit":
        return "it was chosen by hand, and not far off"
    return "no predicted signal of its run is far off"
