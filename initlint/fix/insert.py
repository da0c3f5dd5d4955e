"""From a finding to new calls: what names the layer, where the call goes, how it reads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from initlint.fix.biases import bias_of
from initlint.fix.crowded import beside
from initlint.fix.decide import deciding
from initlint.fix.edits import Edit, Filling, Header, Insertion, Loop, Test
from initlint.fix.fans import is_linear
from initlint.fix.fields import as_made_in_method
from initlint.fix.later import Named, after_later
from initlint.fix.locate import Spot, last_name
from initlint.fix.member import Attribute, Each, Guard, Handed, Item, Step
from initlint.fix.narrow import narrowed
from initlint.fix.parsed import Entry, Parsed, entry_of
from initlint.fix.qualified import PARAMETER, Tail, tails
from initlint.fix.rooms import Place, placed
from initlint.fix.styles import arranged
from initlint.fix.target import Naming, Target
from initlint.fix.text import RefusedError
from initlint.records import Finding, Fix, Initializer, Preferences
from initlint.shown import reach

# Loop variables: for the layer itself, for something around it, for a bare parameter.
_VARIABLES = {
    "layer": ("layer", "module", "member", "the_layer"),
    "block": ("block", "group", "section", "the_block"),
    "parameter": ("parameter", "tensor", "weight", "the_parameter"),
}

# The loops and tests around a call, what it is to give, and what owns the parameter.
_Wanted = tuple[tuple[Header, ...], Initializer, str, str]


@dataclass(frozen=True)
class Written:
    """What is to be written, and whether it needs an import."""

    edits: list[Edit]
    needs_import: bool


def insertions(parsed: Parsed, finding: Finding, fix: Fix, preferences: Preferences) -> Written:
    """What fills the layers that are made at the fix's site.

    Calls that already stand there are left out. Raises RefusedError.
    """
    spot = parsed.spot(fix.site)
    of_field = isinstance(spot.scope, ast.ClassDef)
    if of_field:
        spot = parsed.kept(as_made_in_method(spot))
    target = Naming(spot, parsed.text, parsed.own_classes, parsed.names).target()
    names = finding.parameters or (finding.parameter,)
    found = tails(spot.call, names, target.pattern)
    place = placed(parsed, spot, target, found)
    if of_field and (not place.lasting or place.after is spot.statement):
        raise RefusedError("it is made for a field, and calls cannot follow `__post_init__`")
    calls = _Calls(parsed, spot, fix)
    zeroed = preferences.bias == "zeros"
    later = after_later(parsed, spot, finding, place)
    if later is not None:
        return calls.after(*later, zeroed)
    new: list[Insertion] = []
    for routed in narrowed(target, spot.call, names, fix.spared):
        for tail in found:
            new += calls.of(routed, tail, place, zeroed)
    if place.inline:
        line = spot.statement.end_lineno or spot.statement.lineno
        return Written([*beside(parsed, line, new)], calls.needs_import)
    new = arranged(parsed, spot, fix, place, new, preferences.style)
    return Written([*new, *([place.naming] if place.naming else [])], calls.needs_import)


class _Calls:
    """The calls for one finding, as they read in its file."""

    def __init__(self, parsed: Parsed, spot: Spot, fix: Fix) -> None:
        self._parsed = parsed
        self._spot = spot
        self._fix = fix
        self.needs_import = False

    def of(self, target: Target, tail: Tail, place: Place, biases: bool) -> list[Insertion]:
        """The calls that fill one tensor, and the layer's bias, and do not stand there yet."""
        headers, owner, parameter = expression(self._parsed, self._spot, target, tail)
        cases = self._cases(target, place)
        wanted: list[_Wanted] = [((*headers, *test), i, owner, parameter) for test, i in cases]
        block = self._parsed.block(self._spot.block)

        def stands(entry: Entry) -> bool:
            return block.stands(entry, self._spot.statement, place.lasting)

        wanted += self._bias(headers, owner, parameter, biases)
        return self._missing(place, wanted, stands)

    def after(self, place: Place, named: Sequence[Named], biases: bool) -> Written:
        """The calls after a later initialisation, on the model's own names."""
        if self._fix.cases:
            raise RefusedError("a later call would undo it")
        wanted: list[_Wanted] = []
        for each in named:
            wanted.append((each.headers, self._fix.initializer, each.owner, each.parameter))
            wanted += self._bias(each.headers, each.owner, each.parameter, biases)
        return Written([*self._missing(place, wanted, lambda _: False)], self.needs_import)

    def _bias(
        self, headers: tuple[Header, ...], owner: str, parameter: str, wanted: bool
    ) -> list[_Wanted]:
        bias = bias_of(self._spot, owner, parameter) if wanted else None
        return [((*headers, *bias.headers), bias.initializer, owner, "bias")] if bias else []

    def _missing(
        self, place: Place, wanted: Sequence[_Wanted], stands: Callable[[Entry], bool]
    ) -> list[Insertion]:
        """The calls that do not stand there yet."""
        made = [self._insertion(place, rank, *each) for rank, each in enumerate(wanted)]
        return [insertion for insertion in made if not stands(entry_of(insertion.lines()))]

    def _cases(self, target: Target, place: Place) -> list[tuple[tuple[Header, ...], Initializer]]:
        """The calls, each with the test for the activation that it is meant for, if any."""
        if not self._fix.cases:
            return [((), self._fix.initializer)]
        if not place.lasting:
            raise RefusedError("what decides between its activations may not be there yet")
        decided = deciding(self._parsed, self._spot, target)
        module = self._parsed.speller.module(self._parsed.hidden(self._spot), self._spot.start)
        return [
            ((decided.test([f"{module}.{name}" for name in classes]),), found)
            for classes, found in self._fix.cases
        ]

    def _insertion(
        self,
        place: Place,
        rank: int,
        headers: tuple[Header, ...],
        found: Initializer,
        owner: str,
        parameter: str,
    ) -> Insertion:
        filling = filling_of(self._parsed, self._spot, found, owner, parameter)
        self.needs_import |= filling.spelling.needs_import
        order = (self._spot.call.lineno, f"{self._spot.call.col_offset:06}", rank)
        taken = self._parsed.names(self._spot.scope)
        variable = next((name for name in _VARIABLES["layer"] if name not in taken), "")
        return Insertion(place.after, order, headers, filling, variable)


def filling_of(
    parsed: Parsed, spot: Spot, found: Initializer, owner: str, parameter: str
) -> Filling:
    """The call for `owner.parameter` in the file's own spelling. Raises RefusedError."""
    spelling = parsed.speller.spell(found, parsed.hidden(spot), spot.start)
    linear = is_linear(parsed, spot)
    return Filling.of(found, owner, parameter, linear, spelling, parsed.text.quote)


def expression(
    parsed: Parsed, spot: Spot, target: Target, tail: Tail
) -> tuple[tuple[Header, ...], str, str]:
    """The loops and tests around the call; what owns the tensor within them, and its name there.

    The name is empty where the owner is the tensor itself.
    """
    steps = target.steps
    looped = any(isinstance(step, Each) for step in steps)
    taken = set(parsed.names(spot.scope)) if looped else set()
    headers: list[Header] = []
    reached = target.base
    for index, step in enumerate(steps):
        match step:
            case Attribute(name):
                reached += f".{name}"
            case Item(key):
                reached += f"[{key}]"
            case Handed():
                reached = reach(reached, tail.inside)
            case Guard(before, after):
                headers.append(Test(reached, before, after))
            case Each(suffix):
                variable = _variable(spot, steps[index + 1 :], taken)
                headers.append(Loop(variable, reached + suffix))
                reached = variable
    *between, parameter = tail.attributes or ("",)
    return tuple(headers), reach(reached, between), parameter


def _variable(spot: Spot, inner: Sequence[Step], taken: set[str]) -> str:
    if all(isinstance(step, Guard) for step in inner):
        kind = "parameter" if last_name(spot.call.func) in PARAMETER else "layer"
    else:
        kind = "block"
    for name in _VARIABLES[kind]:
        if name not in taken:
            taken.add(name)
            return name
    raise RefusedError("all the names that a loop over its members could use are taken")
