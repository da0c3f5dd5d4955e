"""From problems to findings: one for each source line and fault, with the fix that they share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from initlint.judge.model import Problem
from initlint.judge.others import about, layer_in, names_of
from initlint.judge.repairs import NoRepairError, Places, by_parts, repair, shared
from initlint.judge.wording import LONGEST, called, unhinted
from initlint.recommend import magnitude
from initlint.recommend.calls import call
from initlint.recommend.question import is_lazy
from initlint.records import Call, Finding, Layer, Rule

_SHOWN = 3
# Two stds of a live model are told as one if they differ by less than this share of a factor of 2.
_STEPS = 3
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
        alone = (record.model, *_alike(problem)) if problem.site is None else _apart(record)
        kind = groups if isinstance(record, Layer) else others
        kind.setdefault((problem.code, problem.site, *alone), []).append(problem)
    places = Places(layers, calls)
    found = [_finding(cards[group[0].code], group, places) for group in groups.values()]
    found += [about(cards[group[0].code], group) for group in others.values()]
    return tuple(sorted(found, key=_order))


def _alike(problem: Problem) -> tuple[object, ...]:
    """What problems without a source line have in common that are told as one: of a live model."""
    record = problem.record
    if not isinstance(record, Layer) or record.current is None or record.recommended is None:
        return names_of(record)
    following, current = record.following, record.current
    share = math.log2(magnitude(current) / (record.recommended.std or math.inf) or 1)
    scale = round(_STEPS * share)
    wanted = call(record.recommended, "weight")
    return (record.type, following.activation, current.name, current.default, scale, wanted)


def _apart(record: object) -> tuple[object, ...]:
    """What a recurrent weight does not share with others of its line: the call that fills it."""
    if not isinstance(record, Layer) or record.recurrent != "state" or record.current is None:
        return ()
    return (record.recurrent, record.current.site)


def _finding(card: Rule, group: list[Problem], places: Places) -> Finding:
    first = group[0]
    layer = layer_in(first)
    donor = shared([layer_in(problem) for problem in group])
    fix, reason = None, _TOO_EARLY if is_lazy(layer) else ""
    if card.fix and not reason:
        try:
            made = by_parts if first.parts else repair
            fix = made(card.fix, group, donor, places)
        except NoRepairError as error:
            reason = str(error)
    is_told = card.fix and fix is None and layer.site is not None
    return Finding(
        code=card.code,
        name=card.name,
        severity=card.severity,
        message=_with_others(first, group),
        site=layer.site,
        model=layer.model,
        layer=layer.layer,
        parameter=layer.parameter,
        following=layer.following,
        current=layer.current,
        # An initialiser is recommended only by rules with a fix.
        recommended=(donor or layer).recommended if card.fix and not first.parts else None,
        fix=fix,
        confidence=card.confidence,
        help=first.help,
        parameters=tuple(dict.fromkeys(layer_in(problem).parameter for problem in group)),
        unfixed=reason if is_told else "",
    )


def _with_others(first: Problem, group: list[Problem]) -> str:
    """The message of the first layer with the rest of the layers that the same line makes."""
    layers = [layer_in(problem) for problem in group]
    names = list(dict.fromkeys(called(layer) for layer in layers))[1:]
    if not names:
        return first.message
    more = ", …" if len(names) > _SHOWN else ""
    count = f"{len(names)} more {'of this line' if layers[0].site else 'like it'}"
    said = unhinted(first.message, first.code)
    listed = f" ({count}: {', '.join(names[:_SHOWN])}{more})"
    brief = said.partition("; predicted ")[0]
    tries = (first.message + listed, said + listed, said + f" ({count})", brief + f" ({count})")
    return next((message for message in tries if len(message) <= LONGEST), tries[-1])


def _order(finding: Finding) -> tuple[object, ...]:
    site = finding.site
    place = (site.path, site.line, site.column) if site else ("", 0, 0)
    return (*place, finding.code, finding.model)
