"""One cause, one finding: a cause takes the place of what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.judge.model import Problem
from initlint.judge.others import names_of

# By the codes of causes, or what they begin with, those of their consequences: a wrong scale, or a
# constant that is overwritten.
_CONSEQUENCES = {"INIT009": "INIT1", "INIT2": "INIT1", "INIT205": "INIT005"}


def without_consequences(problems: Sequence[Problem]) -> list[Problem]:
    """The problems but for those of parameters of which a cause is among them, too."""
    explained = {
        (consequence, problem.record.model, name)
        for problem in problems
        for cause, consequence in _CONSEQUENCES.items()
        if problem.code.startswith(cause)
        for name in names_of(problem.record)
    }
    return [p for p in problems if not _is_explained(p, explained)] if explained else [*problems]


def _is_explained(problem: Problem, explained: set[tuple[str, str, str]]) -> bool:
    record = problem.record
    names = names_of(record)
    return bool(names) and any(
        problem.code.startswith(code)
        and all((code, record.model, name) in explained for name in names)
        for code in set(_CONSEQUENCES.values())
    )
