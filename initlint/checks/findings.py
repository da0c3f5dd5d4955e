"""From problems to findings: one for each source line and fault, with the fix that they share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from initlint import catalog
from initlint.checks.model import Problem
from initlint.recommend import accepted, suits
from initlint.records import Finding, Fix, Layer, Site

_SHOWN = 3
_NO_FIX = " (no fix: other layers made by this line need another initialiser)"


def merged(problems: Iterable[Problem], layers: Sequence[Layer]) -> tuple[Finding, ...]:
    """One finding for all problems of one rule at one source line, in the order of the source."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        layer = problem.layer
        alone = (layer.model, layer.parameter) if layer.site is None else ()
        groups.setdefault((problem.code, layer.site, *alone), []).append(problem)
    places = _Places(layers)
    found = [_finding(group, places) for group in groups.values()]
    return tuple(sorted(found, key=_order))


class _Places:
    """All layers by the line that constructs them and by the line that initialises them."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.constructed: dict[Site | None, list[Layer]] = {}
        self.initialised: dict[Site | None, list[Layer]] = {}
        for layer in layers:
            self.constructed.setdefault(layer.site, []).append(layer)
            if layer.current is not None and not layer.current.default:
                self.initialised.setdefault(layer.current.site, []).append(layer)


def _finding(group: list[Problem], places: _Places) -> Finding:
    first = group[0]
    layer, card = first.layer, catalog.rule(first.code)
    donor = _shared([problem.layer for problem in group])
    fix = _fix(first.code, layer, donor, places) if card.fixable else None
    unfixed = card.fixable and fix is None and layer.site is not None
    return Finding(
        code=first.code,
        name=card.name,
        severity=card.severity,
        message=first.message + _others(group) + (_NO_FIX if unfixed else ""),
        site=layer.site,
        model=layer.model,
        layer=layer.layer,
        parameter=layer.parameter,
        following=layer.following,
        current=layer.current,
        recommended=(donor or layer).recommended,
        fix=fix,
        confidence=card.confidence,
        parameters=tuple(dict.fromkeys(problem.layer.parameter for problem in group)),
    )


def _others(group: list[Problem]) -> str:
    """The rest of the layers that the same line makes."""
    names = list(dict.fromkeys(problem.layer.layer for problem in group))[1:]
    if not names:
        return ""
    more = ", …" if len(names) > _SHOWN else ""
    return f" ({len(names)} more of this line: {', '.join(names[:_SHOWN])}{more})"


def _shared(layers: list[Layer]) -> Layer | None:
    """The layer whose recommendation suits all of `layers`: the commonest one, if it does."""
    counts = Counter(layer.recommended.call for layer in layers if layer.recommended)
    for call, _ in counts.most_common():
        donor = next(x for x in layers if x.recommended and x.recommended.call == call)
        if all(_takes(layer, donor) for layer in layers):
            return donor
    return None


def _takes(layer: Layer, donor: Layer) -> bool:
    """Whether the recommendation made for another layer of the same line suits this one too."""
    own, other = layer.recommended, donor.recommended
    if own is None or other is None or own.name != other.name:
        return False
    if own.call == other.call:
        return True
    # A normal draw is written as its gain over the tensor's own fan, so the gain carries over.
    std = (other.std or 0.0) * math.sqrt((donor.fan_in or 1) / (layer.fan_in or 1))
    return own.name == "normal_" and bool(accepted(layer)) and suits(layer, std)


def _fix(code: str, layer: Layer, donor: Layer | None, places: _Places) -> Fix | None:
    """The edit that repairs all layers of this line, if none of the others would be harmed."""
    if donor is None or donor.recommended is None or layer.site is None or layer.current is None:
        return None
    applicability = "unsafe" if code == "INIT106" else "safe"
    if _is_installed(layer.site):
        applicability = "display"
    call, present = donor.recommended.call, layer.current.site
    written = [] if present is None or layer.current.default else places.initialised[present]
    if present is not None and written and all(_may_get(other, donor) for other in written):
        return Fix("correct", present, call, applicability)
    if all(_may_get(other, donor) for other in places.constructed[layer.site]):
        return Fix("insert", layer.site, call, applicability)
    return None


def _may_get(layer: Layer, donor: Layer) -> bool:
    return _takes(layer, donor) or bool(layer.harmless and layer.recommended)


def _is_installed(site: Site) -> bool:
    return "/site-packages/" in site.path or "/dist-packages/" in site.path


def _order(finding: Finding) -> tuple[object, ...]:
    site = finding.site
    place = (site.path, site.line, site.column) if site else ("", 0, 0)
    return (*place, finding.code, finding.model)
