"""The kinds of record that a rule can judge: a new kind is one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from initlint.judge.model import Model
from initlint.records import Call, Layer, Parameter, Test

# For each annotation of a rule's first parameter, the model's records that it is called with.
KINDS: Mapping[type, Callable[[Model], Iterable[Any]]] = {
    Layer: lambda model: model.layers,
    Parameter: lambda model: model.parameters,
    Call: lambda model: model.calls,
    Test: lambda model: model.tests,
    Model: lambda model: (model,),
}


def names() -> str:
    """The kinds as an error message lists them."""
    return ", ".join(kind.__name__ for kind in KINDS)
