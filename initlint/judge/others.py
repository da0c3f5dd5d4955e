"""Findings about what is no layer: a parameter, a call of an initialiser, or a test."""

from __future__ import annotations

from collections.abc import Sequence

from initlint.judge.model import Problem, Record
from initlint.records import Call, Finding, Fix, Following, Initializer, Layer, Rule, Site, Test


def about(card: Rule, group: Sequence[Problem]) -> Finding:
    """One finding for all problems of one rule at one line, with the fix of the first one."""
    first = group[0]
    names = tuple(dict.fromkeys(name for problem in group for name in names_of(problem.record)))
    parameter = names[0] if names else ""
    return Finding(
        code=card.code,
        name=card.name,
        severity=card.severity,
        message=first.message,
        site=first.site,
        model=first.record.model,
        layer=parameter.rpartition(".")[0],
        parameter=parameter,
        following=Following("unknown"),
        current=None,
        recommended=None,
        fix=_fix(card.fix, first) if len({problem.instead for problem in group}) == 1 else None,
        confidence=card.confidence,
        help=first.help,
        # One call may be wrong where the next one, of the same parameter, is not.
        parameters=() if isinstance(first.record, Call) else names,
    )


def _fix(applicability: str, problem: Problem) -> Fix | None:
    """The call of another initialiser, with the same arguments."""
    site = problem.record.site
    if not applicability or not problem.instead or site is None:
        return None
    wanted = Initializer(problem.instead)
    return Fix("rename", site, wanted, "display" if is_installed(site) else applicability)


def names_of(record: Record) -> tuple[str, ...]:
    """The parameters that a record speaks of."""
    if isinstance(record, Call):
        return record.targets
    if isinstance(record, Test):
        return ()
    return (record.parameter if isinstance(record, Layer) else record.name,)


def layer_in(problem: Problem) -> Layer:
    """The layer that a problem is about, which is about one."""
    assert isinstance(problem.record, Layer)
    return problem.record


def is_installed(site: Site) -> bool:
    """Whether a file is that of an installed package, which no fix writes to."""
    return "/site-packages/" in site.path or "/dist-packages/" in site.path
