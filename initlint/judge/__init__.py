"""Judges records by the rules; exports the names that a rule's function needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from initlint.judge.causes import without_consequences
from initlint.judge.findings import merged
from initlint.judge.histories import (
    constant,
    is_by_visit,
    is_same,
    is_whole,
    line_of,
    overwritten,
    shown,
)
from initlint.judge.model import Model, Problem, Problems, Record
from initlint.judge.others import is_installed
from initlint.judge.radius import unsuited_state
from initlint.judge.rulebook import Rulebook, load
from initlint.judge.suited import unsuited
from initlint.judge.wording import (
    called,
    consequence,
    course,
    drowned,
    faintness,
    growth,
    loudness,
    named,
    predicted,
    shortened,
)
from initlint.recommend import family, is_biased_head, magnitude, ratio
from initlint.recommend.loud import LOUD, first_loss
from initlint.recommend.question import is_lazy, is_small_head, scheme
from initlint.records import Call, Draw, Finding, Layer, Parameter, Test

__all__ = [
    "LOUD",
    "Call",
    "Draw",
    "Layer",
    "Model",
    "Parameter",
    "Problem",
    "Problems",
    "Rulebook",
    "Test",
    "called",
    "consequence",
    "constant",
    "course",
    "drowned",
    "faintness",
    "family",
    "findings",
    "first_loss",
    "growth",
    "is_biased_head",
    "is_by_visit",
    "is_installed",
    "is_lazy",
    "is_same",
    "is_small_head",
    "is_whole",
    "line_of",
    "load",
    "loudness",
    "magnitude",
    "named",
    "overwritten",
    "predicted",
    "ratio",
    "scheme",
    "shortened",
    "shown",
    "unsuited",
    "unsuited_state",
]


def findings(
    layers: Sequence[Layer],
    rules: Rulebook,
    codes: Collection[str],
    parameters: Sequence[Parameter] = (),
    calls: Sequence[Call] = (),
    tests: Sequence[Test] = (),
    beside: tuple[Sequence[Layer], Sequence[Call]] | None = None,
) -> tuple[Finding, ...]:
    """The findings of the rules named by `codes` in layers, parameters, calls and tests.

    Records that one source line makes, with the same fault, give one finding. `beside` are all
    layers and calls that a fix may concern, if those are more than are judged.
    """
    found: list[Problem] = []
    by_model: dict[str, tuple[list[Any], ...]] = {}
    every: tuple[Sequence[Record], ...] = (layers, parameters, calls, tests)
    for place, records in enumerate(every):
        for record in records:
            by_model.setdefault(record.model, ([], [], [], []))[place].append(record)
    for group in by_model.values():
        model = Model(*group)
        for code, function in rules.functions.items():
            if code in codes:
                found.extend(function.problems(model))
    return merged(without_consequences(found), *(beside or (layers, calls)), rules.cards)
