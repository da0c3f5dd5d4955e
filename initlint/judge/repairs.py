"""The fix of a finding: a new call beside the layer, or the present call corrected in its place."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from initlint.judge.model import Problem
from initlint.judge.others import is_installed, layer_in
from initlint.recommend import TOLERANCE, accepted, only_sees_data, suits
from initlint.recommend.calls import call
from initlint.records import Call, Fan, Fix, Initializer, Layer, Site
from initlint.torchlib import catalog

_BY_FAN = {"normal_", "trunc_normal_", "uniform_"}
_OF_LINE = "other layers made by this line need another initialiser"
# Where any scale is right, a new one is within this factor of ours, or nearer than the present.
_FREE = 2.0


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
        raise NoRepairError(found.get(_recipe(layer.recommended), found.get("", unknown)))

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
        wishes = Counter(_recipe(layer.recommended) for layer in written if _has_wish(layer))
        reasons: dict[str, str] = {}
        for recipe, _ in wishes.most_common():
            donor = next(x for x in written if _has_wish(x) and _recipe(x.recommended) == recipe)
            objecting = next((x for x in written if not _suited_by(x, donor, quiet)), None)
            if objecting is None:
                return donor
            name = f"{objecting.layer or objecting.parameter} of {objecting.model}"
            reasons[recipe] = f"{_line(site)} also fills {name}, which needs another call"
        return reasons


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
        elif not layer.harmless:
            self._calls.add(_recipe(layer.recommended))

    def agree_with(self, donor: Layer) -> bool:
        """Whether all of them need exactly the donor's call."""
        return donor.recommended is not None and self._calls <= {_recipe(donor.recommended)}


def shared(layers: list[Layer]) -> Layer | None:
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
    scales = [value.of for value in found.args.values() if isinstance(value, Fan)]
    return _fan(layer, scales[0]) if scales else 1


def _fan(layer: Layer, of: str) -> float:
    """A fan of the weight (in, out, or both for their mean) as torch.nn.init counts it."""
    window = math.prod(layer.shape[2:])
    into, out = layer.shape[1] * window, layer.shape[0] * window
    return max(1, {"in": into, "out": out, "both": (into + out) / 2}[of])


def _has_wish(layer: Layer) -> bool:
    """Whether it matters how a layer is filled, and it is known how."""
    return layer.recommended is not None and not layer.harmless and bool(accepted(layer))


def _suited_by(layer: Layer, donor: Layer, quiet: bool) -> bool:
    """Whether a layer may be filled by the call that `donor` needs, in place of its present one."""
    own = layer.recommended
    if own is None or (quiet and _becomes_loud(layer, donor)):
        return False
    if _may_get(layer, donor):
        return True
    std = _given(layer, donor)
    if not std or not own.std:
        return False
    if accepted(layer):
        return suits(layer, std)
    present = layer.current.std if layer.current is not None else None
    best = max(math.log(_FREE), abs(math.log(present / own.std)) if present else 0.0)
    return abs(math.log(std / own.std)) <= best


def _becomes_loud(layer: Layer, donor: Layer) -> bool:
    """Whether a call makes a layer larger that is neither too small now nor harmless.

    These are the layer that sees the data and the head. Measured: the first and the last layers
    of an autoencoder and of a generator, made larger by a call that was corrected for the hidden
    ones (R² of 95 becomes 86, 86 becomes 81, in five seeds each).
    """
    present = layer.current.std if layer.current is not None else None
    is_free = not accepted(layer) or only_sees_data(layer)
    std = _given(layer, donor)
    return bool(is_free and not layer.harmless and present and std and std > TOLERANCE * present)


def _given(layer: Layer, donor: Layer) -> float | None:
    """The std of a layer's weight if it is filled by the donor's call; None if not known."""
    found = donor.recommended
    if found is None or found.std is None or len(layer.shape) < 2 or len(donor.shape) < 2:
        return None
    kind = found.name.partition("_")[0]
    if kind not in ("kaiming", "xavier"):
        return found.std * math.sqrt(_counted(donor, found) / _counted(layer, found))
    of = "both" if kind == "xavier" else str(found.args.get("mode", "fan_in"))[4:]
    return found.std * math.sqrt(_fan(donor, of) / _fan(layer, of))


def repair(applicability: str, group: list[Problem], donor: Layer | None, places: Places) -> Fix:
    """The edit that repairs all layers of this line. Raises NoRepairError if others would suffer.

    A call that someone wrote is corrected in its place if that suits all that it fills.
    """
    layer = layer_in(group[0])
    if layer.recommended is None:
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
        wanted = places.corrected(present, layer, quiet=found is not None).recommended
        assert wanted is not None
        applicability = "display" if is_installed(present) else applicability
        return Fix("correct", present, wanted, applicability, otherwise=found)
    except NoRepairError as error:
        if found is None:
            raise
        return replace(found, uncorrected=str(error))


def _beside(
    applicability: str, group: list[Problem], donor: Layer | None, places: Places
) -> Fix | None:
    """A new call after the layers of this line; None if none suits them."""
    layer = layer_in(group[0])
    if donor is None or donor.recommended is None or layer.site is None:
        return _by_cases(group, applicability, places)
    made = places.constructed[layer.site]
    spared = _spared(made, layer, donor)
    of_type = _type_of(layer, donor, places)
    fix = Fix("insert", layer.site, donor.recommended, applicability, of_type, spared)
    if spared and not _is_run([other for other in made if other.model == layer.model]):
        return _by_cases(group, applicability, places)
    return None if spared and _lengths_differ(made, layer) else fix


def _spared(made: Sequence[Layer], layer: Layer, donor: Layer) -> tuple[str, ...]:
    """The parameters of a line that must keep their values.

    One that sees the data keeps its own where the others are simply named without it: where a
    list holds nothing else.
    """
    keeps = [not _may_get(other, donor) for other in made]
    if _is_list([other for other in made if other.model == layer.model]):
        keeps = [own or only_sees_data(other) for own, other in zip(keeps, made, strict=True)]
    return tuple(other.parameter for own, other in zip(keeps, made, strict=True) if own)


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
    numbers = sorted(int(number) for _, _, number in names)
    return numbers == list(range(len(numbers)))


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
