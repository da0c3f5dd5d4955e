"""Abstract values: what reading knows about the value of an expression."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Any

from initlint.graph.ops import Op
from initlint.reading.budget import BITS, CHARACTERS, ELEMENTS, LONGEST_NAME
from initlint.reading.outside import truth_of
from initlint.torchlib.draws import Draw

# Any value at all: plain Python numbers, strings and tuples stand for themselves.
Value = Any


class Kind:
    """A kind of abstract value: `parts` gives the values in it, `rebuilt` replaces them.

    These two are the only access to nested values. All walks over values (releasing them to an
    unknown function, copies, keys, bounds of size) use them, in `reading.parts`. A walk cannot
    reach a value that a kind leaves out of its parts.
    """

    __slots__ = ()

    def parts(self) -> Sequence[Value]:
        """The values directly within this one, in order."""
        return ()

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        """A copy of this value with new parts, in the same order."""
        return self

    def truth(self) -> bool | None:
        """This value as a condition; None if that is not known."""
        return None

    def elements(self) -> list[Value] | None:
        """The elements that a loop iterates over; None if they are not known."""
        return None

    def mark(self) -> Any:
        """The data, other than its parts, by which two values of this kind differ."""
        return None


# A size of a tensor is a number or a symbol, never something that holds weights.
Shape = tuple[Value, ...] | None


class Unknown(Kind):
    """An unknown value; it may be, or contain, any of `options`."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Value, ...] = ()) -> None:
        self.options = options

    def __repr__(self) -> str:
        return "unknown"

    def parts(self) -> Sequence[Value]:
        return self.options

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Unknown(tuple(parts))


class Plain(Kind):
    """A value that carries no signal: a shape, a mask, a number that is not known."""

    def __repr__(self) -> str:
        return "plain"


class Compared(Plain):
    """What was computed from data and carries no signal: `node` is its operation, a query."""

    def __init__(self, node: Op) -> None:
        self.node = node


UNKNOWN = Unknown()
PLAIN = Plain()
# A tensor that a module keeps and does not train.
BUFFER = Plain()


@dataclass(frozen=True, slots=True)
class Named(Kind):
    """A value that was given from outside under a name, such as a constructor's argument."""

    name: str


@dataclass(frozen=True, slots=True)
class Sym(Kind):
    """A positive number that is a multiple of powers of named ones."""

    factor: Fraction | float
    powers: tuple[tuple[str, Fraction], ...]

    def __mul__(self, other: Value) -> Value:
        return self._computed(ast.Mult, self, other)

    def __rmul__(self, other: Value) -> Value:
        return self._computed(ast.Mult, other, self)

    def __floordiv__(self, other: Value) -> Value:
        return self._computed(ast.FloorDiv, self, other)

    def __truediv__(self, other: Value) -> Value:
        return self._computed(ast.Div, self, other)

    @staticmethod
    def _computed(kind: type[ast.operator], one: Value, other: Value) -> Value:
        from initlint.reading.sizes import computed

        return computed(kind, one, other)


@dataclass(frozen=True, slots=True)
class External(Kind):
    """An object that the files read do not define, by its dotted name."""

    name: str

    def truth(self) -> bool | None:
        return truth_of(self.name)


@dataclass(slots=True, eq=False, repr=False)
class Tensor(Kind):
    """Computed data: the result of a node of the graph."""

    node: Op


@dataclass(slots=True, eq=False, repr=False)
class Slot(Kind):
    """One parameter: its place, its shape as far as it is known, and the last draw in it.

    `arms` are the undecided conditions under which it was made, `home` is the module whose
    constructor made it. `picked` is True after an access by an unknown index: the next such access
    may give another layer's parameter.
    """

    holder: Instance | None
    name: str
    shape: Shape
    draw: Draw
    arms: tuple[int, ...] = ()
    home: Instance | None = None
    site: Any = None
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Held(Kind):
    """A value derived from a parameter: transposed, reshaped, a part of it, or computed."""

    slot: Slot
    shape: Shape
    reparametrised: bool = False
    part: bool = False

    def parts(self) -> Sequence[Value]:
        return (self.slot,)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return replace(self, slot=parts[0])


@dataclass(slots=True, eq=False, repr=False)
class Fresh(Kind):
    """A new tensor, from which a parameter may be made: its shape, and the draw in it.

    `base` is the tensor that it may be a view of, `slots` are the parameters made from it, `arms`
    the undecided conditions under which it was made.
    """

    shape: Shape
    draw: Draw
    base: Fresh | None = None
    arms: tuple[int, ...] = ()
    slots: list[Slot] = field(default_factory=list)

    def parts(self) -> Sequence[Value]:
        return self.slots if self.base is None else (self.base, *self.slots)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        count = 0 if self.base is None else 1
        return replace(self, base=parts[0] if count else None, slots=[*parts[count:]])


@dataclass(slots=True, eq=False, repr=False)
class Listing(Kind):
    """A list; `open` if it may have more elements than are known."""

    items: list[Value] = field(default_factory=list)
    open: bool = False

    def parts(self) -> Sequence[Value]:
        return self.items

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Listing([*parts], self.open)

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        self.items = [*parts]

    def mark(self) -> Any:
        return self.open

    def truth(self) -> bool | None:
        return True if self.items else (None if self.open else False)

    def elements(self) -> list[Value] | None:
        return [*self.items]


@dataclass(slots=True, eq=False, repr=False)
class Table(Kind):
    """A dict; `open` if it may have more keys than are known."""

    items: dict[Any, Value] = field(default_factory=dict)
    open: bool = False

    def parts(self) -> Sequence[Value]:
        return [*self.items.values()]

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Table(dict(zip(self.items, parts, strict=True)), self.open)

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        self.items = dict(zip(self.items, parts, strict=True))

    def mark(self) -> Any:
        return (self.open, *self.items)

    def truth(self) -> bool | None:
        return True if self.items else (None if self.open else False)

    def elements(self) -> list[Value] | None:
        return [*self.items]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
    parameters of submodules that it shares with other modules.
    """

    cls: Any
    torch: str
    site: Any = None
    args: dict[str, Value] = field(default_factory=dict)
    attrs: dict[str, Value] = field(default_factory=dict)
    overrides: dict[Slot, Draw] = field(default_factory=dict)
    templates: dict[Any, Any] = field(default_factory=dict)
    reparametrised: bool = False
    owner: tuple[Any, str] | None = None
    arms: tuple[int, ...] = ()

    def parts(self) -> Sequence[Value]:
        return (*self.attrs.values(), *self.args.values(), self.cls)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        twin = replace(self, templates={}, overrides=dict(self.overrides))
        twin.refill(parts)
        return twin

    def refill(self, parts: Sequence[Value]) -> None:
        """Put others in the place of its parts."""
        count = len(self.attrs)
        self.attrs = dict(zip(self.attrs, parts[:count], strict=True))
        self.args = dict(zip(self.args, parts[count:-1], strict=True))
        self.cls = parts[-1]

    def truth(self) -> bool | None:
        return bool(self.members()) if self.torch in ("ModuleList", "Sequential") else True

    def elements(self) -> list[Value] | None:
        if self.torch not in CONTAINERS:
            return None
        held = self.members()
        return [*held] if self.torch == "ModuleDict" else [*held.values()]

    def members(self) -> dict[str, Value]:
        """A container's members by name, without other attributes of a user's container class."""
        if self.cls is None:
            return dict(self.attrs)
        is_dict = self.torch == "ModuleDict"
        return {
            name: value
            for name, value in self.attrs.items()
            if name.isdigit() or _is_part(value) or (is_dict and isinstance(value, Unknown))
        }


CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")


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
    names = _mentioned(node) if closure is not None else ()
    found = []
    while closure is not None:
        found += [closure.names[name] for name in names if name in closure.names]
        closure = closure.closure
    return found


@lru_cache(maxsize=1024)
def _mentioned(node: ast.AST) -> tuple[str, ...]:
    """The names in a function's text, each once."""
    names = (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return tuple(dict.fromkeys(names))


def named(value: Named, rest: str) -> Value:
    """A symbolic value whose name is that of `value` and `rest`; unknown if that is too long."""
    name = value.name + rest
    return Named(name) if len(name) <= LONGEST_NAME else UNKNOWN


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


def bounded(value: Value) -> Value:
    """A number, a text or a tuple of Python's; unknown where it is larger than a value may be."""
    kind = type(value)
    if kind is int:
        return value if value.bit_length() <= BITS else UNKNOWN
    if kind is str or kind is bytes:
        return value if len(value) <= CHARACTERS else UNKNOWN
    if kind is tuple:
        return value if len(value) <= ELEMENTS else UNKNOWN
    # A power of a negative number is complex.
    return UNKNOWN if kind is complex else value


def known_number(value: Value) -> bool:
    """Whether a value is a number of Python's."""
    return isinstance(value, (int, float))
