"""Weights whose elements are all one number, and what may tell their units apart."""

from __future__ import annotations

from initlint.judge.histories import is_whole
from initlint.judge.model import Model
from initlint.records import Layer, Parameter


def number_in(layer: Layer) -> float | None:
    """The number in all elements of a layer's weight; None if they differ, or may do so."""
    current = layer.current
    if current is None or current.std is None or current.std != 0:
        return None
    return current.mean


def is_frozen(layer: Layer, model: Model) -> bool:
    """Whether a weight may not be trained, so that nothing has to tell its units apart."""
    found = model.parameter(layer.parameter)
    return found is not None and found.trainable is not True


def has_own_bias(layer: Layer, model: Model) -> bool:
    """Whether somebody has given a layer's bias values of its own, and not one number."""
    found = _bias_of(layer, model)
    last = found.history[-1] if found and found.history else None
    return last is not None and last.by != "torch" and not (is_whole(last) and last.std == 0)


def has_zero_bias(layer: Layer, model: Model) -> bool:
    """Whether a layer of torch's has no bias, or surely one of zeros."""
    found = _bias_of(layer, model)
    if found is None:
        return bool(model.parameters)
    last = found.history[-1] if found.history else None
    return last is not None and is_whole(last) and last.mean == 0 and last.std == 0


def _bias_of(layer: Layer, model: Model) -> Parameter | None:
    home, _, name = layer.parameter.rpartition(".")
    bias = name.replace("weight", "bias")
    return model.parameter(f"{home}.{bias}" if home else bias) if bias != name else None
