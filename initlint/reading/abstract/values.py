"""Abstract values: what reading knows about the value of an expression."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from initlint.graph.ops import Op
from initlint.reading.budget import BITS, CHARACTERS, ELEMENTS, LONGEST_NAME
from initlint.reading.sources.outside import CONSTANTS, OWN_MODELS, TRAINING, truth_of
from initlint.torchlib.draws import Draw

if TYPE_CHECKING:
    from initlint.reading.abstract.holders import Instance

# Any value at all: plain Python numbers, strings and tuples stand for themselves.
Value = Any
# The kinds of Python's own values that hold no others.
BARE = {int, float, bool, str, type(None)}


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


class Foreign(Unknown):
    """What a library has made whose models are of classes of its own, and of none of the files."""


class Sampled(Unknown):
    """A module that is not read, or that torch fills with others: `options` are layers within it.

    Walks over modules reach these layers, by `names` from the module that holds the value. They
    stand for all that are made as they are, and are no part of the graph. `part` says that this is
    only some part of that module, which may hold few of them.
    """

    __slots__ = ("names", "part")

    def __init__(
        self, options: tuple[Value, ...], names: tuple[str, ...], part: bool = False
    ) -> None:
        super().__init__(options)
        self.names = names
        self.part = part

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Sampled(tuple(parts), self.names, self.part)


class Plain(Kind):
    """A value that carries no signal: a shape, a mask, a number that is not known."""

    def __repr__(self) -> str:
        return "plain"


class Compared(Plain):
    """What was computed from data and carries no signal: `node` is its operation, a query."""

    def __init__(self, node: Op) -> None:
        self.node = node


@dataclass(eq=False, repr=False)
class Kept(Plain):
    """A tensor that a module keeps and does not train: `slot` is its content."""

    slot: Slot

    def parts(self) -> Sequence[Value]:
        return (self.slot,)

    def rebuilt(self, parts: Sequence[Value]) -> Value:
        return Kept(parts[0])


UNKNOWN = Unknown()
PLAIN = Plain()


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

    def __rfloordiv__(self, other: Value) -> Value:
        return self._computed(ast.FloorDiv, other, self)

    def __truediv__(self, other: Value) -> Value:
        return self._computed(ast.Div, self, other)

    def __rtruediv__(self, other: Value) -> Value:
        return self._computed(ast.Div, other, self)

    @staticmethod
    def _computed(kind: type[ast.operator], one: Value, other: Value) -> Value:
        from initlint.reading.abstract.sizes import computed

        return computed(kind, one, other)


@dataclass(frozen=True, slots=True)
class External(Kind):
    """An object that the files read do not define, by its dotted name."""

    name: str

    def truth(self) -> bool | None:
        return truth_of(self.name)


@lru_cache(maxsize=4096)
def external(name: str) -> Value:
    """The object of this dotted name; few are met, each many times."""
    return CONSTANTS[name] if name in CONSTANTS else External(name)


@dataclass(slots=True, eq=False, repr=False)
class Tensor(Kind):
    """Computed data: the result of a node of the graph."""

    node: Op


@dataclass(slots=True, eq=False, repr=False)
class Slot(Kind):
    """One parameter: its place, its shape as far as it is known, and the last draw in it.

    `arms` are the undecided conditions under which it was made, `home` is the module whose
    constructor made it. `trainable` is None where that is unknown. `picked` is True after an access
    by an unknown index: the next such access may give another layer's parameter. `origin` is the
    line of the layer of which its own is a deep copy. `resumed` is a load under a condition, such
    as `if resume:`, which changes nothing about how a fresh model begins. `lasting` is False for a
    buffer that is not saved: no file has its content.
    """

    holder: Instance | None
    name: str
    shape: Shape
    draw: Draw
    arms: tuple[int, ...] = ()
    home: Instance | None = None
    site: Any = None
    picked: bool = False
    trainable: bool | None = True
    origin: Any = None
    resumed: Resumed | None = None
    lasting: bool = True


class Resumed(NamedTuple):
    """A load under undecided conditions, and the module in whose constructor it stands.

    `tried` is True if it stands in a `try`, from which code goes on without it.
    """

    draw: Draw
    arms: tuple[int, ...]
    by: Instance | None
    tried: bool = False


@dataclass(slots=True, unsafe_hash=True)
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


def is_of_library(value: Value) -> bool:
    """Whether a framework has given something, or a package with model classes of its own."""
    if type(value) is not External:
        return False
    package = value.name.partition(".")[0]
    return package in OWN_MODELS or (package in TRAINING and value.name.endswith("()"))


def is_stranger(value: Value) -> bool:
    """Whether an object may be of any class: `getattr(nets, name)()`, or what a library has made.

    An argument that no code gives is none: it has a name, and its function was never called.
    """
    return type(value) is Unknown and not value.options


def named(value: Named, rest: str) -> Value:
    """A symbolic value whose name is that of `value` and `rest`; unknown if that is too long."""
    name = value.name + rest
    return Named(name) if len(name) <= LONGEST_NAME else UNKNOWN


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
