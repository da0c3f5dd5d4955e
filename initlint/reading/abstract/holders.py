"""Values that hold others: lists, tables, choices, functions with what is around them, objects."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

from initlint.reading.abstract.values import Kind, Slot, Unknown, Value
from initlint.reading.budget import CHARACTERS, ELEMENTS
from initlint.torchlib.draws import Draw


@dataclass(slots=True, eq=False, repr=False)
class Listing(Kind):
    """A list; `open` if it may have more elements than are known.

    `whole` is the module whose modules or parameters these are. `perhaps` if it may also be
    empty, for an undecided condition.
    """

    items: list[Value] = field(default_factory=list)
    open: bool = False
    whole: Instance | None = None
    perhaps: bool = False

    def parts(self) -> Sequence[Value]:
        return self.items

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Listing([*parts], self.open, perhaps=self.perhaps)

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        self.items = [*parts]

    def mark(self) -> Any:
        return self.open

    def truth(self) -> bool | None:
        if self.perhaps:
            return None
        return True if self.items else (None if self.open else False)

    def elements(self) -> list[Value] | None:
        return [*self.items]


@dataclass(slots=True, eq=False, repr=False)
class Table(Kind):
    """A dict; `open` and `perhaps` as of a list, for its keys.

    Its parts are the values first, then the keys that are no numbers or text: layers, parameters.
    """

    items: dict[Any, Value] = field(default_factory=dict)
    open: bool = False
    perhaps: bool = False

    def parts(self) -> Sequence[Value]:
        return [*self.items.values(), *filter(_is_object, self.items)]

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        twin = Table(self.items, self.open, self.perhaps)
        twin.refill(parts)
        return twin

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        objects = iter(parts[len(self.items) :])
        keys = [next(objects) if _is_object(key) else key for key in self.items]
        self.items = dict(zip(keys, parts, strict=False))

    def mark(self) -> Any:
        return (self.open, *self.items)

    def truth(self) -> bool | None:
        if self.perhaps:
            return None
        return True if self.items else (None if self.open else False)

    def elements(self) -> list[Value] | None:
        return [*self.items]


def _is_object(key: Value) -> bool:
    return not isinstance(key, (str, int))


@dataclass(slots=True, unsafe_hash=True)
class Choice(Kind):
    """A value that is one of `options`; the code read does not decide which."""

    options: tuple[Value, ...]

    def parts(self) -> Sequence[Value]:
        return self.options

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Choice(tuple(parts))

    def truth(self) -> bool | None:
        answers = {truth(option) for option in self.options}
        return answers.pop() if len(answers) == 1 else None


@dataclass(slots=True, eq=False, repr=False)
class Function(Kind):
    """A function of the files read, or a lambda; `owner` is the class it was defined in.

    `signature` is computed at the first call.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: Any
    closure: Any = None
    owner: Any = None
    signature: Any = None

    def parts(self) -> Sequence[Value]:
        """The values of the names in its text that the functions around it define."""
        return around(self.node, self.closure)

    def truth(self) -> bool | None:
        return True


@dataclass(slots=True, unsafe_hash=True)
class Bound(Kind):
    """A bound method: a function and its receiver."""

    function: Value
    receiver: Value

    def parts(self) -> Sequence[Value]:
        return (self.function, self.receiver)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Bound(*parts)

    def truth(self) -> bool | None:
        return True


@dataclass(slots=True, unsafe_hash=True)
class Method(Kind):
    """A method of a built-in type or of torch, by its name, and its receiver."""

    receiver: Value
    name: str

    def parts(self) -> Sequence[Value]:
        return (self.receiver,)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Method(parts[0], self.name)

    def mark(self) -> Any:
        return self.name


@dataclass(slots=True, eq=False, repr=False)
class Partial(Kind):
    """A function with some of its arguments, as functools.partial makes it."""

    function: Value
    args: tuple[Value, ...]
    kwargs: dict[str, Value]

    def parts(self) -> Sequence[Value]:
        return (self.function, *self.args, *self.kwargs.values())

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        count = len(self.args) + 1
        kwargs = dict(zip(self.kwargs, parts[count:], strict=True))
        return Partial(parts[0], tuple(parts[1:count]), kwargs)

    def mark(self) -> Any:
        return (len(self.args), *self.kwargs)

    def truth(self) -> bool | None:
        return True


@dataclass(slots=True, eq=False, repr=False)
class Optimiser(Kind):
    """An optimiser of torch's, or a schedule of one, with the parameters that it was given.

    Its methods train them. Whoever is given it can fill them.
    """

    given: tuple[Value, ...]

    def parts(self) -> Sequence[Value]:
        return self.given

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Optimiser(tuple(parts))

    def truth(self) -> bool | None:
        return True


@dataclass(slots=True, eq=False, repr=False)
class Super(Kind):
    """The value of `super()`: the classes after `owner` in the receiver's method order."""

    receiver: Value
    owner: Any

    def parts(self) -> Sequence[Value]:
        return (self.receiver,)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Super(parts[0], self.owner)

    def mark(self) -> Any:
        return id(self.owner)


@dataclass(slots=True, eq=False, repr=False)
class Instance(Kind):
    """An object: of a class of torch's (`torch`), of the user's (`cls`), or of both.

    `torch` is the name of the class, or of the base class, in torch. `args` are the arguments of
    torch's constructor by name. `overrides` are draws that this module's constructor wrote to
    parameters of submodules that it shares with other modules. `calls` are the calls of
    initialisers in its constructor, `questions` what it asks of modules and parameters.
    """

    cls: Any
    torch: str
    site: Any = None
    args: dict[str, Value] = field(default_factory=dict)
    attrs: dict[str, Value] = field(default_factory=dict)
    overrides: dict[Slot, Draw] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    questions: dict[Any, Any] = field(default_factory=dict)
    templates: dict[Any, Any] = field(default_factory=dict)
    reparametrised: bool = False
    # What computes its weight anew at every forward, such as weight_norm; empty if nothing does.
    recomputed: str = ""
    owner: tuple[Any, str] | None = None
    arms: tuple[int, ...] = ()
    # How many others made alike it is, too.
    stands_for: int = 0
    # Whether it has got data: then a lazy layer is one of the class that it was to become.
    has_run: bool = False

    def parts(self) -> Sequence[Value]:
        return (*self.attrs.values(), *self.args.values(), self.cls)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        twin = Instance(self.cls, self.torch, self.site, self.args, self.attrs)
        twin.overrides, twin.reparametrised = dict(self.overrides), self.reparametrised
        twin.owner, twin.arms, twin.recomputed = self.owner, self.arms, self.recomputed
        twin.stands_for, twin.has_run = self.stands_for, self.has_run
        twin.refill(parts)
        return twin

    def kind(self) -> str:
        """The name of its class in torch at present."""
        return self.torch.removeprefix("Lazy") if self.has_run else self.torch

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        count = len(self.attrs)
        self.attrs = dict(zip(self.attrs, parts[:count], strict=True))
        self.args = dict(zip(self.args, parts[count:-1], strict=True))
        self.cls = parts[-1]

    def truth(self) -> bool | None:
        return bool(self.members()) if self.torch in _BY_NUMBER else True

    def elements(self) -> list[Value] | None:
        if self.torch not in CONTAINERS:
            return None
        held = self.members()
        return [*held] if self.torch in _BY_KEY else [*held.values()]

    def members(self) -> dict[str, Value]:
        """A container's members by name, without other attributes of a user's container class."""
        if self.cls is None:
            return dict(self.attrs)
        is_dict = self.torch in _BY_KEY
        return {
            name: value
            for name, value in self.attrs.items()
            if name.isdigit() or _is_part(value) or (is_dict and isinstance(value, Unknown))
        }


# What holds parameters under names or numbers, and is no layer itself.
PARAMETER_LISTS = ("ParameterList", "ParameterDict")
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", *PARAMETER_LISTS)
_BY_KEY = ("ModuleDict", "ParameterDict")
_BY_NUMBER = ("ModuleList", "Sequential", "ParameterList")


def _is_part(value: Value) -> bool:
    options = value.options if type(value) is Choice else (value,)
    return any(isinstance(option, Instance) and option.torch for option in options)


def truth(value: Value) -> bool | None:
    """A value as a condition; None if that is not known."""
    if isinstance(value, Kind):
        return value.truth()
    is_plain = value is None or isinstance(value, (bool, int, float, str, bytes, tuple))
    return bool(value) if is_plain else None


def elements(value: Value) -> list[Value] | None:
    """The elements that a loop iterates over; None if they are not known."""
    if isinstance(value, Kind):
        return value.elements()
    if isinstance(value, str) and len(value) > CHARACTERS:
        return None
    return list(value) if isinstance(value, (str, tuple)) else None


def around(node: ast.AST, closure: Any) -> Sequence[Value]:
    """The values of the names in the text of `node` that the functions around it define."""
    names = mentioned(node) if closure is not None else ()
    found = []
    while closure is not None:
        found += [closure.names[name] for name in names if name in closure.names]
        closure = closure.closure
    return found


@lru_cache(maxsize=1024)
def mentioned(node: ast.AST) -> tuple[str, ...]:
    """The names in a function's text, each once."""
    names = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return tuple(dict.fromkeys(names))


def listed(items: Iterable[Value], is_open: bool = False) -> Listing:
    """A list of these, of which no more are kept than a value may have."""
    found = list(islice(items, ELEMENTS + 1))
    is_cut = len(found) > ELEMENTS
    return Listing(found[:ELEMENTS] if is_cut else found, is_open or is_cut)


def extend(value: Listing, items: Iterable[Value], is_open: bool = False) -> None:
    """Add these to a list, of which no more are kept than a value may have."""
    value.items += islice(items, ELEMENTS + 1)
    value.open = value.open or is_open or len(value.items) > ELEMENTS
    del value.items[ELEMENTS:]


def update(value: Table, other: Table) -> None:
    """Add another table's keys to a table, of which no more are kept than a value may have."""
    value.items.update(islice(other.items.items(), max(0, ELEMENTS - len(value.items))))
    value.open = value.open or other.open or len(value.items) >= ELEMENTS
