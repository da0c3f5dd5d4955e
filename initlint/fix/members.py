"""How a call's result can be named afterwards: the steps from an assigned name down to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from initlint.fix.spot import Spot, dotted, last_name
from initlint.fix.text import ArmError, RefusedError, Text

_SEQUENCES = {"Sequential", "ModuleList", "ParameterList"}
_MAPPINGS = {"ModuleDict", "ParameterDict"}
CONTAINERS = _SEQUENCES | _MAPPINGS
# Methods of modules that return the module itself.
_RETURN_SELF = {
    *("apply", "bfloat16", "cpu", "cuda", "double", "eval", "float", "half", "requires_grad_"),
    *("share_memory", "to", "to_empty", "train", "type"),
}
# Functions that keep or replace the weights of layers in their arguments.
_WRAPS = re.compile(r"(?i:lora|peft|quant)")


@dataclass(frozen=True)
class Slot:
    """One member of a sequence as it is written, or a run of unknown length (`many`)."""

    node: ast.expr
    many: bool = False


class Members:
    """The members of a sequence, and what is known of their places."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        self._index = {id(slot.node): index for index, slot in enumerate(slots)}
        runs = [index for index, slot in enumerate(slots) if slot.many]
        self._first_run = runs[0] if runs else len(slots)
        self._last_run = runs[-1] if runs else -1

    def position(self, spot: Spot) -> int:
        """Which of them is or holds the spot's call."""
        return next(self._index[id(node)] for node in spot.chain if id(node) in self._index)

    def before(self, position: int) -> int | None:
        """How many members come before one, if that is known."""
        return position if position <= self._first_run else None

    def after(self, position: int) -> int | None:
        """How many members come after one, if that is known."""
        return len(self.slots) - 1 - position if position >= self._last_run else None


@lru_cache(maxsize=64)
def members_of(sequence: ast.expr) -> Members:
    """The members of a sequence as far as the source shows them."""
    return Members(_slots(sequence))


@lru_cache(maxsize=64)
def arguments_of(call: ast.Call) -> Members:
    """The positional arguments of a call as members of what it makes."""
    return Members(_slots_of(call.args))


def _slots(sequence: ast.expr) -> list[Slot]:
    match sequence:
        case ast.List() | ast.Tuple():
            return _slots_of(sequence.elts)
        case ast.BinOp(op=ast.Add()):
            return _slots(sequence.left) + _slots(sequence.right)
    return [Slot(sequence, many=True)]


def _slots_of(members: list[ast.expr]) -> list[Slot]:
    found: list[Slot] = []
    for member in members:
        found += _slots(member.value) if isinstance(member, ast.Starred) else [Slot(member)]
    return found


def slice_text(before: int, after: int, step: int = 1) -> str:
    """The slice of every `step`th member without the first and last ones; "" if it takes all."""
    if before == 0 and after == 0 and step == 1:
        return ""
    parts = [str(before) if before else "", str(-after) if after else ""]
    return f"[{':'.join(parts)}]" if step == 1 else f"[{':'.join(parts)}:{step}]"


@dataclass(frozen=True)
class Attribute:
    """`.name`"""

    name: str


@dataclass(frozen=True)
class Item:
    """`[key]`; `component` is its part of a parameter's qualified name, if that is known."""

    key: str
    component: str | None = None


@dataclass(frozen=True)
class Each:
    """Every member of `suffix` of what comes before: a loop.

    `run` says of a sequence how many members come before those, how many after, and the step.
    """

    suffix: str = ""
    run: tuple[int, int, int] | None = None

    @classmethod
    def of_run(cls, before: int, after: int, step: int = 1) -> Each:
        """Every `step`th member but the first and last ones."""
        return cls(slice_text(before, after, step), (before, after, step))


@dataclass(frozen=True)
class Guard:
    """Only where a test of what comes before holds."""

    before: str = ""
    after: str = " is not None"


@dataclass(frozen=True)
class Handed:
    """Given to `callee`, which keeps it somewhere inside what it returns."""

    callee: str


Step = Attribute | Item | Each | Guard | Handed


class Path:
    """The steps from the value of a statement down to the spot's call."""

    def __init__(
        self, spot: Spot, text: Text, own_classes: frozenset[str], alike: Collection[int] = ()
    ) -> None:
        self._spot = spot
        self._text = text
        self._own_classes = own_classes
        # The identities of conditional expressions of which both arms get the same call.
        self._alike = alike

    def steps(self, value: ast.expr) -> list[Step]:
        """The steps from `value`. Raises RefusedError if the call cannot be reached from it."""
        if value is self._spot.call:
            return []
        match value:
            case ast.Call():
                return self._in_call(value)
            case ast.List() | ast.Tuple() | ast.BinOp(op=ast.Add()):
                return self._in_sequence(members_of(value), registered=False)
            case ast.Dict():
                return self._in_mapping(value)
            case ast.ListComp() | ast.GeneratorExp():
                return self._in_run(value, 0, 0)
            case ast.DictComp() if self._spot.holds(value.value):
                return [Each(".values()"), *self.steps(value.value)]
            case ast.IfExp():
                return self._in_choice(value)
            case ast.Lambda():
                raise RefusedError("it is made inside a lambda, where no statement can follow")
            case ast.NamedExpr():
                raise RefusedError(
                    "it is named by `:=` inside an expression, where no statement fits"
                )
        raise RefusedError("it is made inside an expression that gives it no name")

    def appended(self, value: ast.expr) -> list[Step]:
        """The steps from a sequence to which `value` has just been appended."""
        members = members_of(value)
        position = members.position(self._spot)
        slot, after = members.slots[position], members.after(position)
        if slot.many or after is None:
            raise RefusedError("the number of members added after it is not known")
        return [Item(str(-1 - after)), *self.steps(slot.node)]

    def container(self, name: str, call: ast.Call) -> list[Step]:
        """The steps from a container of torch's class `name` that `call` fills."""
        if any(map(self._spot.holds, call.keywords)):
            raise RefusedError(f"it is passed to `{name}` by keyword")
        if name == "Sequential" and not _is_ordered_dict(call):
            return self._in_sequence(arguments_of(call), registered=True)
        if len(call.args) != 1:
            raise RefusedError(f"`{name}` is called in a way that is not understood")
        contents = call.args[0]
        if isinstance(contents, ast.Call) and _is_ordered_dict(call):
            return self._in_ordered_dict(contents, attributes=name == "Sequential")
        if name in _SEQUENCES and isinstance(contents, ast.List | ast.Tuple | ast.BinOp):
            return self._in_sequence(members_of(contents), registered=True)
        return self.steps(contents)

    def _in_call(self, call: ast.Call) -> list[Step]:
        function = call.func
        if self._spot.holds(function):
            if isinstance(function, ast.Attribute) and function.attr in _RETURN_SELF:
                return self.steps(function.value)
            raise RefusedError(
                "a method is called on it where it is made, and the result kept instead"
            )
        name = last_name(function)
        own = isinstance(function, ast.Name) and name in self._own_classes
        if name in CONTAINERS and not own:
            return self.container(name, call)
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        argument = next(a for a in arguments if self._spot.holds(a))
        if isinstance(argument, ast.Starred):
            argument = argument.value
        if _WRAPS.search(name):
            raise RefusedError(f"it is passed to `{name}`, which wraps its weight")
        return [Handed(dotted(function) or name), *self.steps(argument)]

    def _in_sequence(self, members: Members, registered: bool) -> list[Step]:
        position = members.position(self._spot)
        slot = members.slots[position]
        before, after = members.before(position), members.after(position)
        if slot.many:
            if before is None or after is None:
                raise RefusedError(
                    "starred members are before and after it, so its place is not known"
                )
            return self._in_run(slot.node, before, after)
        if before is not None:
            component = str(before) if registered else None
            return [Item(str(before), component), *self.steps(slot.node)]
        if after is not None:
            return [Item(str(-1 - after)), *self.steps(slot.node)]
        raise RefusedError("starred members are before and after it, so its index is not known")

    def _in_run(self, run: ast.expr, before: int, after: int) -> list[Step]:
        """Members filled by a comprehension, between `before` and `after` others."""
        if not isinstance(run, ast.ListComp | ast.GeneratorExp):
            raise RefusedError("it is made inside a starred expression that is not a comprehension")
        last = run.generators[-1]
        if self._spot.holds(run.elt):
            return [Each.of_run(before, after), *self.steps(run.elt)]
        # [m for _ in range(n) for m in (Linear(), ReLU())]: every second member, say.
        pattern = last.iter
        if (
            isinstance(pattern, ast.Tuple | ast.List)
            and self._spot.holds(pattern)
            and isinstance(last.target, ast.Name)
            and isinstance(run.elt, ast.Name)
            and run.elt.id == last.target.id
            and not last.ifs
        ):
            members = members_of(pattern)
            position = members.position(self._spot)
            if not any(slot.many for slot in members.slots):
                each = Each.of_run(before + position, after, len(members.slots))
                return [each, *self.steps(members.slots[position].node)]
        raise RefusedError("it is made in the head of a comprehension")

    def _in_mapping(self, mapping: ast.Dict) -> list[Step]:
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if self._spot.holds(value):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    return [Item(self._text.segment(key), key.value), *self.steps(value)]
                raise RefusedError("its key in the dict is not a plain string")
        raise RefusedError("it is made in the key of a dict")

    def _in_ordered_dict(self, ordered: ast.Call, attributes: bool) -> list[Step]:
        """Members of OrderedDict([("name", member), ...]) or OrderedDict({"name": member})."""
        contents = ordered.args[0]
        if isinstance(contents, ast.Dict):
            steps = self._in_mapping(contents)
            assert isinstance(steps[0], Item)
            return [_named(steps[0], attributes), *steps[1:]]
        if isinstance(contents, ast.List | ast.Tuple):
            for pair in contents.elts:
                if self._spot.holds(pair):
                    return self._in_pair(pair, attributes)
        match contents:
            case (
                ast.ListComp(elt=ast.Tuple(elts=[_, member]))
                | ast.GeneratorExp(elt=ast.Tuple(elts=[_, member]))
            ) if self._spot.holds(member):
                each = Each.of_run(0, 0) if attributes else Each(".values()")
                return [each, *self.steps(member)]
        raise RefusedError("its OrderedDict is not written as a list of pairs or a dict")

    def _in_pair(self, pair: ast.expr, attributes: bool) -> list[Step]:
        match pair:
            case ast.Tuple(elts=[ast.Constant(value=str(name)) as key, value]):
                item = Item(self._text.segment(key), name)
                return [_named(item, attributes), *self.steps(value)]
        raise RefusedError("its name in the OrderedDict is not a plain string")

    def _in_choice(self, choice: ast.IfExp) -> list[Step]:
        """One arm of `a if test else b`: guarded by what tells the arms apart afterwards."""
        arms = [choice.body, choice.orelse]
        arm = next((a for a in arms if self._spot.holds(a)), None)
        if arm is None:
            raise RefusedError("it is made in the test of a conditional expression")
        other = arms[1 - arms.index(arm)]
        if id(choice) in self._alike:
            return self.steps(arm)
        return [_telling(choice, arm, other), *self.steps(arm)]


def _telling(choice: ast.IfExp, arm: ast.expr, other: ast.expr) -> Guard:
    """The test of the expression's result that it came from `arm`."""
    if isinstance(other, ast.Constant) and other.value is None:
        return Guard()
    mine, theirs = _class_called(arm), _class_called(other)
    module = mine.rpartition(".")[0]
    # No layer in a module of torch's derives from another beside it, nor any from Identity.
    if module and mine != theirs and theirs.rpartition(".")[0] == module:
        return Guard("isinstance(", f", {mine})")
    if theirs.rpartition(".")[2] == "Identity":
        return Guard("not isinstance(", f", {theirs})")
    raise ArmError(choice)


def _class_called(expression: ast.expr) -> str:
    """The class that an expression makes an instance of, as written; "" if that is not plain."""
    name = dotted(expression.func) if isinstance(expression, ast.Call) else None
    return name if name and name.rpartition(".")[2][0].isupper() else ""


def _named(item: Item, attributes: bool) -> Step:
    """A member of a Sequential has its name as an attribute; one of a dict is an item."""
    name = item.component
    if not attributes or name is None:
        return item
    if not name.isidentifier():
        raise RefusedError(f"its name {item.key} is not an identifier")
    return Attribute(name)


def _is_ordered_dict(call: ast.Call) -> bool:
    match call.args:
        case [ast.Call(func=function, args=[_], keywords=[])]:
            return last_name(function) == "OrderedDict"
    return False
