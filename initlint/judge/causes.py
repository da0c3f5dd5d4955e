"""One cause, one finding: a wrong scale is not reported where another rule says what causes it."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.judge.model import Problem
from initlint.judge.others import names_of

# Rules that say why a weight has the wrong scale, and those that only say that it has it.
_CAUSES = ("INIT009", "INIT2")
_CONSEQUENCES = "INIT1"


def without_consequences(problems: Sequence[Problem]) -> list[Problem]:
    """The problems but for wrong scales of parameters whose cause is among them."""
    explained = {
        (problem.record.model, name)
        for problem in problems
        if problem.code.startswith(_CAUSES)
        for name in names_of(problem.record)
    }
    return [p for p in problems if not _is_explained(p, explained)]


def _is_explained(problem: Problem, explained: set[tuple[str, str]]) -> bool:
    record = problem.record
    names = names_of(record) if problem.code.startswith(_CONSEQUENCES) else ()
    return bool(names) and all((record.model, name) in explained for name in names)
