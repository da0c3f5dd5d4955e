"""The fix of a finding: a new call beside the layer, or the present call corrected in its place."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from initlint.judge.model import Problem
from initlint.judge.one_call import has_wish, may_get, recipe, suited_by, takes
from initlint.judge.others import is_installed, layer_in
from initlint.recommend import only_sees_data
from initlint.records import Call, Fix, Initializer, Layer, Site
from initlint.torchlib import catalog

_OF_LINE = "other layers made by this line need another initialiser"


class NoRepairError(Exception):
    """The reason why a finding has no fix."""


class Places:
    """All layers by the line that constructs them, the one that initialises them, and class."""

    def __init__(self, layers: Sequence[Layer], calls: Sequence[Call]) -> None:
        self.constructed: dict[Site | None, list[Layer]] = {}
        self.initialised: dict[Site | None, list[Layer]] = {}
        self.typed: dict[tuple[str, str, str], _Wishes] = {}
        # What is known to be filled by each call, and what of all that is a layer's weight.
        self._written: dict[Site | None, set[tuple[str, str]]] = defaultdict(set)
        known = (x for x in layers if x.current is not None and x.current.name != "unknown")
        self._weights = {(layer.model, layer.parameter) for layer in known}
        self._corrected: dict[tuple[Site, bool], Layer | dict[str, str]] = {}
        for made in calls:
            self._written[made.site] |= {(made.model, target) for target in made.targets}
        for layer in layers:
            self.constructed.setdefault(layer.site, []).append(layer)
            path = layer.site.path if layer.site else ""
            for home in (("model", layer.model), ("file", path)):
                self.typed.setdefault((layer.type, *home), _Wishes()).add(layer)
            if layer.current is not None and not layer.current.default:
                self.initialised.setdefault(layer.current.site, []).append(layer)

    def corrected(self, site: Site, layer: Layer, quiet: bool) -> Layer:
        """A layer whose call is right for all that the present call at `site` fills.

        `quiet`: it makes no layer larger that has no finding. Raises NoRepairError if there is
        none, with what speaks against the call that `layer` needs.
        """
        if (site, quiet) not in self._corrected:
            self._corrected[site, quiet] = self._donor(site, quiet)
        found = self._corrected[site, quiet]
        if isinstance(found, Layer):
            return found
        unknown = f"what the layers filled at {_line(site)} need is not known"
        raise NoRepairError(found.get(recipe(layer.recommended), found.get("", unknown)))

    def _donor(self, site: Site, quiet: bool) -> Layer | dict[str, str]:
        """The layer, or why there is none, by the call that was tried ("" for any).

        Of the calls that layers need, the most common is tried first.
        """
        written = self.initialised[site]
        others = sorted(self._written[site] - self._weights)
        if others:
            name = others[0][1]
            return {
                "": f"{_line(site)} also fills {name}, which is not known to be a layer's weight"
            }
        wishes = Counter(recipe(layer.recommended) for layer in written if has_wish(layer))
        reasons: dict[str, str] = {}
        for wish, _ in wishes.most_common():
            donor = next(x for x in written if has_wish(x) and recipe(x.recommended) == wish)
            objecting = next((x for x in written if not suited_by(x, donor, quiet)), None)
            if objecting is None:
                return donor
            name = f"{objecting.layer or objecting.parameter} of {objecting.model}"
            reasons[wish] = f"{_line(site)} also fills {name}, which needs another call"
        return reasons

    def check_parts(self, site: Site, parts: int) -> None:
        """Raises NoRepairError unless all that a call fills holds this number of matrices."""
        others = sorted(self._written[site] - self._weights)
        names = [name for _, name in others]
        names += [layer.parameter for layer in self.initialised[site] if layer.parts != parts]
        if names:
            raise NoRepairError(f"{_line(site)} also fills {names[0]}, which is cut differently")


def _line(site: Site) -> str:
    return f"{site.path}:{site.line}"


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
        elif not layer.harmless or layer.recurrent == "state":
            self._calls.add(recipe(layer.recommended))

    def agree_with(self, donor: Layer) -> bool:
        """Whether all of them need exactly the donor's call."""
        return donor.recommended is not None and self._calls <= {recipe(donor.recommended)}


def shared(layers: list[Layer]) -> Layer | None:
    """A layer whose recommended initialiser is right for all of `layers`; None if there is none."""
    counts = Counter(recipe(layer.recommended) for layer in layers)
    for wish, _ in counts.most_common():
        donor = next(layer for layer in layers if recipe(layer.recommended) == wish)
        if donor.recommended and all(takes(layer, donor) for layer in layers):
            return donor
    return None


def repair(applicability: str, group: list[Problem], donor: Layer | None, places: Places) -> Fix:
    """The edit that repairs all layers of this line. Raises NoRepairError if others would suffer.

    A call that someone wrote is corrected in its place if that suits all that it fills.
    """
    layer = layer_in(group[0])
    if layer.recommended is None:
        if layer.type == "Embedding":
            raise NoRepairError("an embedding shares this weight, and may need its scale")
        raise NoRepairError("it is not known what the layer needs")
    if layer.site is None or layer.current is None:
        raise NoRepairError(_OF_LINE)
    if is_installed(layer.site):
        applicability = "display"
    found = _beside(applicability, group, donor, places)
    present = layer.current.site
    if present is None or layer.current.default:
        if found is None:
            raise NoRepairError(_OF_LINE)
        return found
    # A call in the constructor comes too early for what is filled after it.
    found = None if any(layer_in(problem).late for problem in group) else found
    try:
        # Where a call beside the layers would do, the present one is corrected only if that harms
        # no other.
        other = places.corrected(present, layer, quiet=found is not None)
        assert other.recommended is not None
        applicability = "display" if is_installed(present) else applicability
        wanted, parts = other.recommended, _gates(other)
        return Fix("correct", present, wanted, applicability, otherwise=found, parts=parts)
    except NoRepairError as error:
        if found is None:
            raise
        return replace(found, uncorrected=str(error))


def by_parts(applicability: str, group: list[Problem], donor: Layer | None, places: Places) -> Fix:
    """The present call for each of the matrices that a parameter holds, in a loop.

    Raises NoRepairError if the line fills anything else; `donor` makes no difference.
    """
    current, parts = layer_in(group[0]).current, group[0].parts
    if current is None or current.site is None or any(p.parts != parts for p in group):
        raise NoRepairError(_OF_LINE)
    places.check_parts(current.site, parts)
    applicability = "display" if is_installed(current.site) else applicability
    return Fix("correct", current.site, current, applicability, parts=parts)


def _beside(
    applicability: str, group: list[Problem], donor: Layer | None, places: Places
) -> Fix | None:
    """A new call after the layers of this line; None if none suits them."""
    layer = layer_in(group[0])
    if donor is None or donor.recommended is None or layer.site is None:
        return _by_cases(group, applicability, places)
    # The call names the parameter, and leaves others of a module alone.
    names = {_own_name(layer_in(problem)) for problem in group}
    made = [other for other in places.constructed[layer.site] if _own_name(other) in names]
    spared = _spared(made, group, donor)
    of_type, parts = _type_of(layer, donor, places), _gates(donor)
    fix = Fix("insert", layer.site, donor.recommended, applicability, of_type, spared, parts=parts)
    if spared and not _is_run([other for other in made if other.model == layer.model]):
        return _by_cases(group, applicability, places)
    return None if spared and _lengths_differ(made, layer) else fix


def _own_name(layer: Layer) -> str:
    """The name of a parameter in its module."""
    return layer.parameter.rpartition(".")[2]


def _gates(layer: Layer) -> int:
    """The number of matrices that a recurrent weight is filled in; 0 if it is one."""
    return layer.parts if layer.recurrent == "state" and layer.parts > 1 else 0


def _spared(made: Sequence[Layer], group: list[Problem], donor: Layer) -> tuple[str, ...]:
    """The parameters of a line that must keep their values.

    One that sees the data, or that a call of its own fills, keeps its values where the others are
    simply named without it: where a list holds nothing else.
    """
    layer = layer_in(group[0])
    keeps = [not may_get(other, donor) for other in made]
    if _is_list([other for other in made if other.model == layer.model]):
        keeps = [
            own or only_sees_data(other) or _is_filled_apart(other, group)
            for own, other in zip(keeps, made, strict=True)
        ]
    return tuple(other.parameter for own, other in zip(keeps, made, strict=True) if own)


def _is_filled_apart(layer: Layer, group: list[Problem]) -> bool:
    """Whether a call that someone wrote fills a layer, one that the group does not report."""
    current, reported = layer.current, [layer_in(problem) for problem in group]
    if current is None or current.default or layer.late:
        return False
    calls = {other.current.site for other in reported if other.current}
    names = {other.parameter for other in reported}
    return current.site not in calls and layer.parameter not in names


def _type_of(layer: Layer, donor: Layer, places: Places) -> str:
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


def _is_list(layers: Sequence[Layer]) -> bool:
    """Whether the layers themselves are all members of one container, one after the other."""
    names = [layer.layer.rpartition(".") for layer in layers]
    if not _is_run(layers) or len({holder for holder, _, _ in names}) > 1:
        return False
    # Of a ParameterList, the layer is the list: its parameters have the numbers.
    numbers = {int(number) for _, _, number in names if number.isdigit()}
    return numbers == set(range(len(names)))


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


def _by_cases(group: list[Problem], applicability: str, places: Places) -> Fix | None:
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
        if not all(may_get(x, donor) for x in alike):
            return None
        cases.setdefault(classes, donor.recommended)
    if layer.site is None or len({x.following.activation for x in made}) < 2:
        return None
    first = next(iter(cases.values()))
    unsafe = "unsafe" if applicability == "safe" else applicability
    return Fix("insert", layer.site, first, unsafe, cases=tuple(cases.items()))
