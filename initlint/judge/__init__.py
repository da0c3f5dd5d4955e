"""The checks: Layers in, Findings out. Every module of this package is found by walking it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Sequence
from functools import cache

from initlint.judge.findings import merged
from initlint.judge.model import Check, Model, Problem, registered
from initlint.records import Finding, Layer


def findings(layers: Sequence[Layer], codes: Collection[str] | None = None) -> tuple[Finding, ...]:
    """What the checks named by `codes` (all of them where None) find in `layers`.

    One finding for all layers that one source line makes with the same fault.
    """
    found: list[Problem] = []
    by_model: dict[str, list[Layer]] = {}
    for layer in layers:
        by_model.setdefault(layer.model, []).append(layer)
    for group in by_model.values():
        model = Model(group)
        for check in _checks():
            if codes is None or check.code in codes:
                found.extend(check.problems(model))
    return merged(found, layers)


@cache
def _checks() -> tuple[Check, ...]:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(sorted(registered(), key=lambda check: check.code))
