"""Which layers are in question: their scale is off, and neither meant nor without effect."""

from __future__ import annotations

import re

from initlint.recommend import accepted, family, has_mean, ratio, sees_data
from initlint.records import Layer


def may_be_off(layer: Layer) -> bool:
    """Whether the scale of a layer is known and may matter, whatever is recommended."""
    is_known = layer.current is not None and layer.current.std is not None
    return is_known and not layer.harmless and bool(accepted(layer))


def in_question(layer: Layer) -> bool:
    """Whether the scale of a layer is off and may matter: the predicted signal decides.

    A residual branch without a normalisation may begin as small as someone likes: the stream
    passes it (ESRGAN scales all layers of its branches by 0.1; Zhang 2019 begins with zeros).
    """
    value = ratio(layer)
    if value is None or value in (1.0, 0.0) or not may_be_off(layer):
        return False
    if is_lazy(layer) and sees_data(layer):
        # As wide as the data: of one or three channels, the default is about right.
        return False
    if value < 1 and (_adds_up(layer) or is_dropped(layer)):
        return False
    if layer.branch == "last" or (layer.branch and value < 1) or is_small_share(layer):
        return False
    return not is_small_head(layer)


def _adds_up(layer: Layer) -> bool:
    """Whether a layer feeds a rectified recurrence, whose state is a sum over all steps.

    Le et al. 2015 give it the std 0.001, beside an identity as recurrent weight.
    """
    return layer.recurrent == "input" and family(layer) == "rectifier"


def is_dropped(layer: Layer) -> bool:
    """Whether dropout leaves out half of what a layer sees, or more.

    What it leaves is twice as loud, and each example's noise as strong as its signal. Measured:
    four and eight layers of relu with dropout 0.5 learn digits and a regression no better with
    larger weights than PyTorch's default, and often worse (docs/trains.md, "Dropout").
    """
    return layer.dropped >= _HALF


_HALF = 0.5


def scheme(layer: Layer) -> str:
    """default, kaiming, xavier, or explicit for a hand-written scale; empty if unknown.

    A weight whose mean is not zero is explicit: all schemes have the mean zero.
    """
    current = layer.current
    if current is None or current.std is None:
        return ""
    if has_mean(current):
        return "explicit"
    if current.default:
        return "default"
    head = current.name.partition("_")[0]
    return head if head in ("kaiming", "xavier") else "explicit"


def is_small_head(layer: Layer) -> bool:
    """Whether someone made the weights of the model's last layer small, which does no harm.

    A bounded result that is the model's as well as another layer's input is the action of a policy
    beside its critic. With the gain of tanh there, DDPG is worse: the error in a bandit grows
    from 0.132 to 0.145 (5 of 5 seeds).
    """
    is_action = layer.shown and family(layer) == "saturating"
    is_small = scheme(layer) == "explicit" and (ratio(layer) or 1.0) < 1
    return is_small and (layer.head or is_action)


def is_small_share(layer: Layer) -> bool:
    """Whether a layer ends a branch that begins with a normalisation, and adds little to a stream.

    The activation that follows sees the stream. Measured: 5 blocks `x + b(gelu(a(norm(x))))` on
    pixels, with `b` at PyTorch's default 85 %, with the gain of gelu 81 % (5 seeds).
    """
    is_added = "residual" in layer.following.via and layer.origin == "norm"
    return is_added and (ratio(layer) or 1.0) < 1


def is_lazy(layer: Layer) -> bool:
    """Whether torch makes the weight only when the first input comes."""
    return layer.nominal and bool(_LAZY.fullmatch(layer.type))


_LAZY = re.compile(r"Lazy(Linear|Conv(Transpose)?[123]d)")
