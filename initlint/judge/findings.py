"""From problems to findings: one for each source line and fault, with the fix that they share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from initlint.judge.model import Problem, is_lazy
from initlint.judge.others import about, is_installed, layer_in, names_of
from initlint.recommend import accepted, suits
from initlint.recommend.calls import call
from initlint.records import Fan, Finding, Fix, Initializer, Layer, Rule, Site
from initlint.torchlib import catalog

_SHOWN = 3
_BY_FAN = {"normal_", "trunc_normal_", "uniform_"}
_NO_FIX = " (no fix: other layers made by this line need another initialiser)"
_TOO_EARLY = " (no fix: the weight of a lazy layer does not exist before the first forward)"


def merged(
    problems: Iterable[Problem], layers: Sequence[Layer], cards: Mapping[str, Rule]
) -> tuple[Finding, ...]:
    """One finding for all problems of one rule at one source line, in the order of the source."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    others: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        record = problem.record
        alone = (record.model, *names_of(record)) if record.site is None else ()
        kind = groups if isinstance(record, Layer) else others
        kind.setdefault((problem.code, record.site, *alone), []).append(problem)
    places = _Places(layers)
    found = [_finding(cards[group[0].code], group, places) for group in groups.values()]
    found += [about(cards[group[0].code], group) for group in others.values()]
    return tuple(sorted(found, key=_order))


class _Places:
    """All layers by the line that constructs them, the one that initialises them, and class."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.constructed: dict[Site | None, list[Layer]] = {}
        self.initialised: dict[Site | None, list[Layer]] = {}
        self.typed: dict[tuple[str, str, str], _Wishes] = {}
        self._wishes: dict[Site, _Wishes] = {}
        for layer in layers:
            self.constructed.setdefault(layer.site, []).append(layer)
            path = layer.site.path if layer.site else ""
            for home in (("model", layer.model), ("file", path)):
                self.typed.setdefault((layer.type, *home), _Wishes()).add(layer)
            if layer.current is not None and not layer.current.default:
                self.initialised.setdefault(layer.current.site, []).append(layer)

    def may_correct(self, site: Site, donor: Layer) -> bool:
        """Whether all layers that the call at `site` initialises may get the donor's instead."""
        written = self.initialised[site]
        if site not in self._wishes:
            self._wishes[site] = _Wishes()
            for layer in written:
                self._wishes[site].add(layer)
        return self._wishes[site].agree_with(donor) or all(_may_get(x, donor) for x in written)


class _Wishes:
    """The calls that several layers need (None: not known); `is_free` if all have the default."""

    def __init__(self) -> None:
        self.is_free = True
        self._calls: set[str | None] = set()

    def add(self, layer: Layer) -> None:
        """Count a layer in; one whose scale does not matter may get any call."""
        self.is_free = self.is_free and (layer.current is None or layer.current.default)
        if layer.recommended is None:
            self._calls.add(None)
        elif not layer.harmless:
            self._calls.add(_recipe(layer.recommended))

    def agree_with(self, donor: Layer) -> bool:
        """Whether all of them need exactly the donor's call."""
        return donor.recommended is not None and self._calls <= {_recipe(donor.recommended)}


def _finding(card: Rule, group: list[Problem], places: _Places) -> Finding:
    first = group[0]
    layer = layer_in(first)
    donor = _shared([layer_in(problem) for problem in group])
    lazy = is_lazy(layer)
    fix = _fix(card.fix, group, donor, places) if card.fix and not lazy else None
    unfixed = card.fix and fix is None and layer.site is not None
    reason = _TOO_EARLY if lazy else _NO_FIX
    return Finding(
        code=card.code,
        name=card.name,
        severity=card.severity,
        message=first.message + _others(group) + (reason if unfixed else ""),
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


def _shared(layers: list[Layer]) -> Layer | None:
    """A layer whose recommended initialiser is right for all of `layers`; None if there is none."""
    counts = Counter(_recipe(layer.recommended) for layer in layers)
    for recipe, _ in counts.most_common():
        donor = next(layer for layer in layers if _recipe(layer.recommended) == recipe)
        if donor.recommended and all(_takes(layer, donor) for layer in layers):
            return donor
    return None


def _recipe(found: Initializer | None) -> str:
    """The call, which layers with other fans may share: scales are counted from the weight."""
    return call(found, "weight") if found else ""


def _takes(layer: Layer, donor: Layer) -> bool:
    """Whether the initialiser recommended for `donor` is right for `layer`, too."""
    own, other = layer.recommended, donor.recommended
    if own is None or other is None or own.name != other.name:
        return False
    if _recipe(own) == _recipe(other):
        return True
    # Such a draw is written as a factor over a fan of the tensor's own: the factor carries over.
    std = (other.std or 0.0) * math.sqrt(_counted(donor, other) / _counted(layer, other))
    return own.name in _BY_FAN and bool(accepted(layer)) and suits(layer, std)


def _counted(layer: Layer, found: Initializer) -> float:
    """The fan that the std of a draw is computed from; 1 if the std is a number."""
    window = math.prod(layer.shape[2:])
    into, out = layer.shape[1] * window, layer.shape[0] * window
    counted = {"in": into, "out": out, "both": (into + out) / 2}
    scales = [value.of for value in found.args.values() if isinstance(value, Fan)]
    return max(1, counted[scales[0]]) if scales else 1


def _fix(
    applicability: str, group: list[Problem], donor: Layer | None, places: _Places
) -> Fix | None:
    """The edit that repairs all layers of this line, if none of the others would be harmed."""
    layer = layer_in(group[0])
    if layer.site is None or layer.current is None or layer.recommended is None:
        return None
    if is_installed(layer.site):
        applicability = "display"
    if donor is None or donor.recommended is None:
        return _by_cases(group, applicability, places)
    wanted, present = donor.recommended, layer.current.site
    if present is not None and not layer.current.default and places.may_correct(present, donor):
        return Fix("correct", present, wanted, applicability)
    made = places.constructed[layer.site]
    spared = tuple(other.parameter for other in made if not _may_get(other, donor))
    of_type = _type_of(layer, donor, places)
    fix = Fix("insert", layer.site, wanted, applicability, of_type, spared)
    if spared and not _is_run([other for other in made if other.model == layer.model]):
        return _by_cases(group, applicability, places)
    return None if spared and _lengths_differ(made, layer) else fix


def _type_of(layer: Layer, donor: Layer, places: _Places) -> str:
    """The layer's class, if all its layers may get the call and none was chosen otherwise.

    Looked at are the models with layers of this line, and all layers made in this file.
    """
    homes = {("model", other.model) for other in places.constructed[layer.site]}
    if layer.site is not None:
        homes.add(("file", layer.site.path))
    alike = [places.typed[key] for home in homes if (key := (layer.type, *home)) in places.typed]
    suits_all = all(wishes.is_free and wishes.agree_with(donor) for wishes in alike)
    return layer.type if suits_all else ""


def _is_run(layers: Sequence[Layer]) -> bool:
    """Whether the parameters are members of one container: the names differ in one number."""
    names = [layer.parameter.split(".") for layer in layers]
    if len({len(name) for name in names}) > 1:
        return False
    differing = [set(parts) for parts in zip(*names, strict=True) if len(set(parts)) > 1]
    return len(differing) == 1 and all(part.isdigit() for part in differing[0])


def _lengths_differ(layers: Sequence[Layer], layer: Layer) -> bool:
    """Whether one line fills containers of several lengths, `layer`'s and others.

    Then an index does not identify a member: the last of two is the second, the last of three the
    third.
    """
    names = [other.parameter.split(".") for other in layers if other.model == layer.model]
    varying = (place for place, parts in enumerate(zip(*names, strict=True)) if len({*parts}) > 1)
    place = next(varying) - len(names[0])
    runs: dict[tuple[str, ...], set[str]] = {}
    for other in layers:
        parts = other.parameter.split(".")
        runs.setdefault((other.model, *parts[:place]), set()).add(parts[place:][0])
    return len({frozenset(members) for members in runs.values()}) > 1


def _by_cases(group: list[Problem], applicability: str, places: _Places) -> Fix | None:
    """A call for each activation that the layers of one line meet, where that decides it."""
    layer = layer_in(group[0])
    made = places.constructed[layer.site]
    cases: dict[tuple[str, ...], Initializer] = {}
    for problem in group:
        donor = layer_in(problem)
        classes = catalog.activations()[donor.following.activation].modules
        alike = [x for x in made if x.following.activation == donor.following.activation]
        if not classes or donor.recommended is None:
            return None
        if not all(_may_get(x, donor) for x in alike):
            return None
        cases.setdefault(classes, donor.recommended)
    if layer.site is None or len({x.following.activation for x in made}) < 2:
        return None
    first = next(iter(cases.values()))
    unsafe = "unsafe" if applicability == "safe" else applicability
    return Fix("insert", layer.site, first, unsafe, cases=tuple(cases.items()))


def _may_get(layer: Layer, donor: Layer) -> bool:
    return _takes(layer, donor) or bool(layer.harmless and layer.recommended)


def _order(finding: Finding) -> tuple[object, ...]:
    site = finding.site
    place = (site.path, site.line, site.column) if site else ("", 0, 0)
    return (*place, finding.code, finding.model)
