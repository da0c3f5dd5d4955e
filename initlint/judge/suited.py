"""Checks a layer's present std against the accepted ones; shared by INIT101 to INIT106."""

from __future__ import annotations

from initlint.judge.model import Model, Path, Problem, Problems, is_lazy, is_small_head, scheme
from initlint.judge.wording import consequence
from initlint.recommend import has_mean, ratio
from initlint.records import Layer

# Beyond this factor a std that someone chose by hand is questioned.
_CHOSEN = 4.0


def unsuited(layer: Layer, model: Model) -> Problems:
    """The problem of a layer with a wrong std for its activation, if the scale matters."""
    if _is_silent(layer):
        return
    path = model.path(layer)
    if path.matters and (scheme(layer) != "explicit" or _is_far(layer, path)):
        yield Problem(layer, consequence(layer, path))


def _is_silent(layer: Layer) -> bool:
    """Whether the scale cannot matter here, is meant so, or ours would do harm."""
    value = ratio(layer)
    if value is None or value == 1.0 or value == 0.0 or layer.harmless:
        return True
    if is_lazy(layer) and layer.before is None and layer.origin == "input":
        # As wide as the data: of one or three channels, the default is about right.
        return True
    if layer.branch == "last" or (layer.branch and scheme(layer) == "default"):
        return True
    return is_small_head(layer)


def _is_far(layer: Layer, path: Path) -> bool:
    if layer.current is not None and has_mean(layer.current):
        # A scale may be a choice; a mean, which adds up over all inputs, hardly ever is.
        return True
    value = ratio(layer) or 1.0
    return path.is_far or not 1 / _CHOSEN <= value <= _CHOSEN
