"""INIT101 to INIT106: the present std does not suit the following activation."""

from __future__ import annotations

from collections.abc import Iterator

from initlint.judge.model import Model, Path, check, is_lazy, is_small_head, scheme
from initlint.judge.wording import consequence
from initlint.recommend import family, ratio
from initlint.records import Layer

_Spoken = Iterator[tuple[Layer, str]]
# Beyond this factor a std that someone chose by hand is questioned.
_CHOSEN = 4.0


@check("INIT101")
def default_before_rectifier(model: Model) -> _Spoken:
    """PyTorch's default before ReLU and its kin."""
    return _unsuited(model, "rectifier", "default")


@check("INIT102")
def xavier_before_rectifier(model: Model) -> _Spoken:
    """Xavier before ReLU and its kin: half the variance is lost."""
    return _unsuited(model, "rectifier", "xavier")


@check("INIT103")
def unsuited_before_saturating(model: Model) -> _Spoken:
    """The default, Kaiming, or a wrong gain before tanh, sigmoid and their kin."""
    return _unsuited(model, "saturating", "default", "xavier", "kaiming")


@check("INIT104")
def wrong_negative_slope(model: Model) -> _Spoken:
    """Kaiming before ReLU and its kin, told of another slope or nonlinearity."""
    return _unsuited(model, "rectifier", "kaiming")


@check("INIT105")
def unsuited_before_smooth(model: Model) -> _Spoken:
    """The default, Xavier or Kaiming of another activation before GELU, SiLU, ELU and their kin."""
    return _unsuited(model, "smooth", "default", "xavier", "kaiming")


@check("INIT106")
def explicit_scale_off(model: Model) -> _Spoken:
    """A std, bound or gain written by hand, far from what the activation needs."""
    for kind in ("rectifier", "saturating", "smooth"):
        yield from _unsuited(model, kind, "explicit")


def _unsuited(model: Model, kind: str, *schemes: str) -> _Spoken:
    """Layers before an activation of this family, filled by one of these schemes, badly."""
    for layer in model.layers:
        if family(layer) == kind and scheme(layer) in schemes and not _is_silent(layer):
            path = model.path(layer)
            if path.matters and (scheme(layer) != "explicit" or _is_far(layer, path)):
                yield layer, consequence(layer, path)


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
    value = ratio(layer) or 1.0
    return path.is_far or not 1 / _CHOSEN <= value <= _CHOSEN
