"""The spectral radius of recurrent weights: what a state keeps of itself from step to step."""

from __future__ import annotations

import math

from initlint.judge.model import Problem, Problems
from initlint.judge.wording import memory
from initlint.recommend import family, has_mean
from initlint.recommend.question import scheme
from initlint.records import Layer

# Recall of a symbol five steps back suffers beyond these, and below the least: docs/outcomes.md,
# "Recurrent weights". Gates, whose state passes beside the weights, stand more, and need none.
_MOST, _MOST_GATED, _LEAST = 2.0, 4.0, 0.25
# torch's recurrent layers without gates. Whether one that is written out has gates is not asked.
_PLAIN = ("RNN", "RNNCell")
_TORCH = ("RNN", "LSTM", "GRU")


def unsuited_state(layer: Layer, code: str) -> Problems:
    """The problem of a recurrent weight that someone filled, if the state saturates or forgets."""
    if layer.recurrent != "state" or scheme(layer) == "default":
        return
    found, is_plain = radius(layer), layer.type in _PLAIN
    is_known = layer.type.startswith(_TORCH) or family(layer) == "saturating"
    if not found or not is_known:
        return
    if found > (_MOST if is_plain else _MOST_GATED) or (is_plain and found < _LEAST):
        yield Problem(layer, memory(layer, found, code))


def radius(layer: Layer) -> float | None:
    """The largest eigenvalue of a wide random matrix: s √n (circular law), or the mean times n.

    Orthogonal matrices of gain g have g, which s √n is for them, too. None if it is not known.
    """
    current = layer.current
    if current is None or current.std is None or not layer.fan_in or layer.nominal:
        return None
    mean = abs(current.mean) * layer.fan_in if has_mean(current) else 0.0
    return max(current.std * math.sqrt(layer.fan_in), mean)
