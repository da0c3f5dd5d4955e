"""From a finding to new calls: what names the layer, where the call goes, how it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from initlint.fix.correct import GATES, over_parts
from initlint.fix.edits import Edit, Filling, Header, Insertion, Loop, Test, is_instance
from initlint.fix.members import Attribute, Each, Guard, Handed, Item, Step
from initlint.fix.names import PARAMETER, Naming, Tail, Target, narrowed, tails
from initlint.fix.parsed import Parsed, entry_of
from initlint.fix.place import Named, Place, after_later, beside, placed
from initlint.fix.sequential import in_loops, member_of
from initlint.fix.spot import Function, Spot, as_made_in_method, last_name
from initlint.fix.styles import arranged
from initlint.fix.text import RefusedError
from initlint.records import Finding, Fix, Initializer, Preferences
from initlint.safe.shown import reach

# Loop variables: for the layer itself, for something around it, for a bare parameter.
_VARIABLES = {
    "layer": ("layer", "module", "member", "the_layer"),
    "block": ("block", "group", "section", "the_block"),
    "parameter": ("parameter", "tensor", "weight", "the_parameter"),
}

# The loops and tests around a call, what owns the parameter, and its name.
Reached = tuple[tuple[Header, ...], str, str]
# The loops and tests around a call, what it is to give, and what owns the parameter.
_Wanted = tuple[tuple[Header, ...], Initializer, str, str]
_ZEROS = Initializer("zeros_", {}, 0.0)
# The layers of torch that have a bias, and its place among the arguments.
_PLACES = {
    "Linear": 2,
    "Bilinear": 3,
    **{f"{kind}{rank}d": 7 for kind in ("Conv", "ConvTranspose") for rank in (1, 2, 3)},
}
_UNDECIDED = (
    "its instances meet different activations, and no one attribute of the class says which"
)


class Written(NamedTuple):
    """The edits, and whether they need an import."""

    edits: list[Edit]
    needs_import: bool


def insertions(parsed: Parsed, finding: Finding, fix: Fix, preferences: Preferences) -> Written:
    """The calls that fill the layers made at the fix's site.

    Calls that are already there are left out. Raises RefusedError.
    """
    spot = parsed.spot(fix.site)
    of_field = isinstance(spot.scope, ast.ClassDef)
    if of_field:
        spot = parsed.kept(as_made_in_method(spot))
    target = Naming(spot, parsed.text, parsed.own_classes, parsed.names, parsed.alike).target()
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
        """The missing calls that fill one tensor and the layer's bias."""
        reached = expression(self._parsed, self._spot, target, tail)
        headers, owner, parameter = of_parts(self._parsed, self._spot, self._fix.parts, reached)
        cases = self._cases(target, place)
        wanted: list[_Wanted] = [((*headers, *test), i, owner, parameter) for test, i in cases]
        wanted += self._bias(headers, owner, parameter, biases)
        made = self._made(place, wanted)
        return [insertion for insertion in made if not self._stands(insertion, place)]

    def after(self, place: Place, named: Sequence[Named], biases: bool) -> Written:
        """The calls after a later initialisation, on the model's own names."""
        if self._fix.cases:
            raise RefusedError("a later call would undo it")
        wanted: list[_Wanted] = []
        for each in named:
            headers, owner, parameter = of_parts(
                self._parsed,
                self._spot,
                self._fix.parts,
                (each.headers, each.owner, each.parameter),
            )
            wanted.append((headers, self._fix.initializer, owner, parameter))
            wanted += self._bias(each.headers, each.owner, each.parameter, biases)
        return Written([*self._made(place, wanted)], self.needs_import)

    def _bias(
        self, headers: tuple[Header, ...], owner: str, parameter: str, wanted: bool
    ) -> list[_Wanted]:
        bias = bias_of(self._spot, owner, parameter) if wanted else None
        return [((*headers, *bias.headers), bias.initializer, owner, "bias")] if bias else []

    def _made(self, place: Place, wanted: Sequence[_Wanted]) -> list[Insertion]:
        return [self._insertion(place, rank, *each) for rank, each in enumerate(wanted)]

    def _stands(self, insertion: Insertion, place: Place) -> bool:
        """Whether a call is there, by itself or in a loop over its layer and others."""
        block = self._parsed.block(self._spot.block)
        entries = (entry_of(insertion.lines()), *in_loops(insertion, block))
        statement = self._spot.statement
        return any(block.stands(entry, statement, place.lasting) for entry in entries)

    def _cases(self, target: Target, place: Place) -> list[tuple[tuple[Header, ...], Initializer]]:
        """The calls, each with the test for the activation that it is meant for, if any."""
        if not self._fix.cases:
            return [((), self._fix.initializer)]
        if not place.lasting:
            raise RefusedError("the attribute that decides its activation may not be set yet")
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
        member = None if headers else member_of(self._parsed, self._spot, owner)
        return Insertion(place.after, order, headers, filling, variable, member=member)


def of_parts(parsed: Parsed, spot: Spot, parts: int, reached: Reached) -> Reached:
    """The same in a loop over the matrices of the tensor, if it is filled in `parts`."""
    headers, owner, parameter = reached
    if not parts:
        return reached
    tensor = reach(owner, [parameter]) if parameter else owner
    loop = over_parts(parsed, spot, tensor, parts, GATES)
    return (*headers, loop), loop.variable, ""


def filling_of(
    parsed: Parsed, spot: Spot, found: Initializer, owner: str, parameter: str
) -> Filling:
    """The call for `owner.parameter` in the file's own spelling. Raises RefusedError."""
    spelling = parsed.speller.spell(found, parsed.hidden(spot), spot.start)
    linear = parsed.is_linear(spot)
    return Filling.of(found, owner, parameter, linear, spelling, parsed.text.quote)


def expression(parsed: Parsed, spot: Spot, target: Target, tail: Tail) -> Reached:
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


class Bias(NamedTuple):
    """The tests around the call, and its initialiser."""

    headers: tuple[Test, ...]
    initializer: Initializer = _ZEROS


def bias_of(spot: Spot, owner: str, parameter: str) -> Bias | None:
    """The zeroing of the bias beside a weight; None if the layer certainly has none."""
    place = _PLACES.get(last_name(spot.call.func))
    if parameter != "weight" or place is None:
        return None
    argument = _argument(spot.call, place)
    if argument is None or (isinstance(argument, ast.Constant) and argument.value is True):
        return Bias(())
    if isinstance(argument, ast.Constant):
        return None
    return Bias((Test(f"{owner}.bias"),))


def _argument(call: ast.Call, place: int) -> ast.expr | None:
    """The call's argument for the bias; the call itself if that is not clear."""
    for keyword in call.keywords:
        if keyword.arg == "bias":
            return keyword.value
    unclear = any(keyword.arg is None for keyword in call.keywords)
    if unclear or any(isinstance(argument, ast.Starred) for argument in call.args):
        return call
    return call.args[place] if len(call.args) > place else None


class Deciding(NamedTuple):
    """The expression that holds the activation."""

    expression: str

    def test(self, classes: Sequence[str]) -> Test:
        """The test that it is one of some classes."""
        return is_instance(self.expression, classes)


def deciding(parsed: Parsed, spot: Spot, target: Target) -> Deciding:
    """The attribute that decides. Raises RefusedError if none does plainly."""
    owner, self_name = spot.owner, spot.self_name
    if owner is None or self_name is None:
        raise RefusedError(_UNDECIDED)
    neighbour = _next_member(spot, target)
    if neighbour is not None:
        return Deciding(neighbour)
    methods = {node.name: node for node in owner.body if isinstance(node, Function)}
    called = set(_called_in(methods.get("forward"), self_name))
    found = sorted(called & _varying(list(methods.values()), self_name, parsed.own_classes))
    if len(found) != 1:
        raise RefusedError(_UNDECIDED)
    return Deciding(f"{self_name}.{found[0]}")


def _next_member(spot: Spot, target: Target) -> str | None:
    """The member after the layer in a Sequential, if it is the one that varies."""
    match target.steps, spot.chain[-2]:
        case (Item(key),), ast.Call(args=arguments) if key.isdigit():
            for index, member in enumerate(arguments[int(key) + 1 :], int(key) + 1):
                if isinstance(member, ast.Starred):
                    return None
                if _varies(member, frozenset()):
                    return f"{target.base}[{index}]"
    return None


def _called_in(forward: ast.AST | None, self_name: str) -> Iterator[str]:
    """The attributes of the instance that forward calls."""
    for node in ast.walk(forward) if forward else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(owner), attr=name)):
                if owner == self_name:
                    yield name


def _varying(
    methods: Sequence[ast.FunctionDef | ast.AsyncFunctionDef],
    self_name: str,
    own: frozenset[str],
) -> set[str]:
    """The attributes that hold modules of different classes in different instances."""
    values: dict[str, list[ast.expr]] = {}
    for method in methods:
        for node in ast.walk(method):
            match node:
                case ast.Assign(targets=[ast.Attribute(ast.Name(owner), name)], value=value):
                    if owner == self_name:
                        values.setdefault(name, []).append(value)
    return {
        name
        for name, given in values.items()
        if any(_varies(value, own) for value in given) or _differ(given)
    }


def _differ(values: Sequence[ast.expr]) -> bool:
    return len({ast.unparse(v.func) if isinstance(v, ast.Call) else "" for v in values}) > 1


def _varies(value: ast.expr, own: frozenset[str]) -> bool:
    """Whether an expression may make modules of different classes."""
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.Name | ast.IfExp | ast.Subscript | ast.Attribute)
    name = last_name(value.func)
    return name not in own and not name[:1].isupper()
