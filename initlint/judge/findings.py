"""From problems to findings: one for each source line and fault, with the fix that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from initlint.judge.model import Problem
from initlint.judge.others import about, layer_in, names_of
from initlint.judge.repairs import NoRepairError, Places, repair, shared
from initlint.recommend.question import is_lazy
from initlint.records import Call, Finding, Layer, Rule

_SHOWN = 3
_TOO_EARLY = "the weight of a lazy layer does not exist before the first forward"


def merged(
    problems: Iterable[Problem],
    layers: Sequence[Layer],
    calls: Sequence[Call],
    cards: Mapping[str, Rule],
) -> tuple[Finding, ...]:
    """One finding for all problems of one rule at one source line, in the order of the source."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    others: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        record = problem.record
        alone = (record.model, *names_of(record)) if problem.site is None else ()
        kind = groups if isinstance(record, Layer) else others
        kind.setdefault((problem.code, problem.site, *alone), []).append(problem)
    places = Places(layers, calls)
    found = [_finding(cards[group[0].code], group, places) for group in groups.values()]
    found += [about(cards[group[0].code], group) for group in others.values()]
    return tuple(sorted(found, key=_order))


def _finding(card: Rule, group: list[Problem], places: Places) -> Finding:
    first = group[0]
    layer = layer_in(first)
    donor = shared([layer_in(problem) for problem in group])
    fix, reason = None, _TOO_EARLY if is_lazy(layer) else ""
    if card.fix and not reason:
        try:
            fix = repair(card.fix, group, donor, places)
        except NoRepairError as error:
            reason = str(error)
    is_told = card.fix and fix is None and layer.site is not None
    return Finding(
        code=card.code,
        name=card.name,
        severity=card.severity,
        message=first.message + _others(group) + (f" (no fix: {reason})" if is_told else ""),
        site=layer.site,
        model=layer.model,
        layer=layer.layer,
        parameter=layer.parameter,
        following=layer.following,
        current=layer.current,
        # An initialiser is recommended only by rules with a fix.
        recommended=(donor or layer).recommended if card.fix else None,
        fix=fix,
        confidence=card.confidence,
        parameters=tuple(dict.fromkeys(layer_in(problem).parameter for problem in group)),
    )


def _others(group: list[Problem]) -> str:
    """The rest of the layers that the same line makes."""
    names = list(dict.fromkeys(layer_in(problem).layer for problem in group))[1:]
    if not names:
        return ""
    more = ", …" if len(names) > _SHOWN else ""
    return f" ({len(names)} more of this line: {', '.join(names[:_SHOWN])}{more})"


def _order(finding: Finding) -> tuple[object, ...]:
    site = finding.site
    place = (site.path, site.line, site.column) if site else ("", 0, 0)
    return (*place, finding.code, finding.model)
