"""Judges a layer by the predicted signal of its run; shared by INIT101 to INIT106."""

from __future__ import annotations

import math

from initlint.judge.model import Problem, Problems
from initlint.judge.wording import consequence
from initlint.recommend import has_mean, ratio
from initlint.recommend.question import in_question, scheme
from initlint.records import Layer
from initlint.torchlib import catalog

# A run whose signal or gradient is off by no more than this does no harm.
_MATTERS = 2.0
# A transposed convolution with a stride gains by another std than its author's only beyond this: of
# 41 generators whose run was off by 2.2 to 2.9, 26 became worse and 4 better (docs/trains.md).
STRIDED = 4.0
# Beyond these factors a std that someone chose by hand is questioned: its own, or its run's.
_CHOSEN, _FAR = 4.0, 10.0
# A normalisation restores what arrives, until it is as small as the constant that it adds to the
# variance (1e-5). Measured: before one, the gain of smooth activations helps nothing and may harm;
# that of rectifiers helps where no stream passes the layers by (docs/outcomes.md).
_RESTORED = 100.0


def unsuited(layer: Layer, code: str) -> Problems:
    """The problem of a layer with a wrong std for its activation, if the signal suffers.

    `code` is that of the rule, which the message names.
    """
    if not in_question(layer) or not is_off(layer, _tolerated(layer)):
        return
    if scheme(layer) != "explicit" or _is_far(layer):
        yield Problem(layer, consequence(layer, code))


def _tolerated(layer: Layer) -> float:
    """The factor by which the signal of a layer's run may be off."""
    if not layer.closed:
        is_filled = layer.current is not None and not layer.current.default
        return STRIDED if is_filled and layer.spread != 1 else _MATTERS
    known = catalog.activations().get(layer.following.activation)
    if known is None or known.family != "rectifier":
        return _RESTORED
    return _FAR if layer.origin == "norm" else _MATTERS


def is_off(layer: Layer, factor: float) -> bool:
    """Whether the signal or the gradient of a layer's run is off by more than this factor."""
    signal = layer.signal
    if signal is None:
        return False
    furthest = max(abs(math.log(signal.forward)), abs(math.log(signal.backward)))
    return furthest > math.log(factor)


def _is_far(layer: Layer) -> bool:
    if layer.current is not None and has_mean(layer.current):
        # A scale may be a choice; a mean, which adds up over all inputs, hardly ever is.
        return True
    value = ratio(layer) or 1.0
    return is_off(layer, _FAR) or not 1 / _CHOSEN <= value <= _CHOSEN
