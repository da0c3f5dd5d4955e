"""What an expression may be worth to a reader who runs nothing: abstract values."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any

from initlint.graph.ops import Op
from initlint.reading.budget import BITS, CHARACTERS, ELEMENTS, LONGEST_NAME
from initlint.torchlib.draws import Draw

# Any value at all: plain Python numbers, strings and tuples stand for themselves.
Value = Any


class Unknown:
    """A value of which nothing is known."""

    def __repr__(self) -> str:
        return "unknown"


class Plain:
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
class Named:
    """A value that was given from outside under a name, such as a constructor's argument."""

    name: str


@dataclass(frozen=True, slots=True)
class Sym:
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
class External:
    """Something that lies outside the files read, by its dotted name."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Tensor:
    """Computed data: the result of a node of the graph."""

    node: Op


@dataclass(slots=True, eq=False, repr=False)
class Slot:
    """One parameter: its place, its shape as far as it is known, and what was written to it last.

    `arms` are the undecided conditions under which it came to be, `home` is the module whose
    constructor made it. `picked` holds once it was reached under an index that is not known: the
    next time it may be that of another layer.
    """

    holder: Any
    name: str
    shape: tuple[Value, ...] | None
    draw: Draw
    arms: tuple[int, ...] = ()
    home: Any = None
    site: Any = None
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A parameter as an expression sees it: turned, reshaped, a part of it, or computed from."""

    slot: Slot
    shape: tuple[Value, ...] | None
    reparametrised: bool = False
    part: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Fresh:
    """A tensor just made, from which a parameter may be made: its shape, and what it holds.

    `base` is the tensor of which it may be a view, `slots` are the parameters made of it, `arms`
    the undecided conditions under which it came to be.
    """

    shape: tuple[Value, ...] | None
    draw: Draw
    base: Any = None
    arms: tuple[int, ...] = ()
    slots: list[Slot] = field(default_factory=list)


@dataclass(slots=True, eq=False, repr=False)
class Listing:
    """A list; `open` where more elements may follow than are known."""

    items: list[Value] = field(default_factory=list)
    open: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Table:
    """A dict; `open` where it may have more keys than are known."""

    items: dict[Any, Value] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, nobody knows which."""

    options: tuple[Value, ...]


@dataclass(slots=True, eq=False, repr=False)
class Function:
    """A function of the files read, or a lambda; `owner` is the class it was defined in.

    `signature` is worked out when it is called for the first time.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: Any
    closure: Any = None
    owner: Any = None
    signature: Any = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A method together with the object that it belongs to."""

    function: Value
    receiver: Value


@dataclass(frozen=True, slots=True)
class Method:
    """A method that the language or torch provides, by its name, and its object."""

    receiver: Value
    name: str


@dataclass(slots=True, eq=False, repr=False)
class Partial:
    """A function with some of its arguments given already."""

    function: Value
    args: tuple[Value, ...]
    kwargs: dict[str, Value]


@dataclass(slots=True, eq=False, repr=False)
class Super:
    """What `super()` gives: the next classes after `owner` in the receiver's order."""

    receiver: Value
    owner: Any


@dataclass(slots=True, eq=False, repr=False)
class Instance:
    """An object: a module of torch's (`torch` is its base there), of the user's (`cls`), or both.

    `args` are the arguments of torch's constructor by name. `overrides` are draws that this
    module's constructor wrote to parameters of parts that other modules share with it.
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


def parts_of(value: Value) -> Collection[Value]:
    """The values that lie directly within a value: of a list, its elements."""
    kind = type(value)
    if kind is tuple:
        return value  # type: ignore[no-any-return]
    if kind is Listing:
        return value.items  # type: ignore[no-any-return]
    if kind is Table:
        return value.items.values()  # type: ignore[no-any-return]
    if kind is Choice:
        return value.options  # type: ignore[no-any-return]
    if kind is Partial:
        return (value.function, *value.args, *value.kwargs.values())
    if kind is Bound:
        return (value.function, value.receiver)
    return ()


_HOLDING = {tuple, Listing, Table, Choice, Partial, Bound}


def is_small(value: Value, most: int = 1000) -> bool:
    """Whether no more than `most` values lie within one, none of them deeply.

    A value counts as often as it is reached, so that whoever calls itself for the parts of a small
    one comes to an end soon: `t = (t, t)` thirty times over is a billion parts.
    """
    return type(value) not in _HOLDING or count_parts(value, most) <= most


def count_parts(value: Value, most: int) -> int:
    """How many values lie within one, each as often as it is reached; more than `most` if deeply.

    Counting ends where there are more than `most`.
    """
    count = 0
    waiting: list[tuple[Value, int]] = [(value, 0)]
    while waiting:
        holder, depth = waiting.pop()
        found = parts_of(holder)
        count += len(found)
        if count > most or depth > _DEEPEST:
            return most + 1
        waiting += [(part, depth + 1) for part in found if type(part) in _HOLDING]
    return count


_DEEPEST = 50


def leaves(value: Value, kinds: Collection[type] = (tuple, Listing, Table)) -> Iterator[Value]:
    """The values within one, through holders of these kinds, in order.

    A holder is gone through once, however often it is reached.
    """
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if type(part) not in kinds:
            yield part
        elif id(part) not in seen:
            seen.add(id(part))
            waiting += reversed([*parts_of(part)])


def key_of(value: Value) -> Any:
    """Something hashable that is equal for values that are the same to every reader.

    Large values are equal to none.
    """
    return _key(value) if is_small(value) else (type(value), object())


def _key(value: Value) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return (kind, value)
    if kind is tuple:
        return (tuple, tuple(map(_key, value)))
    if kind is Listing:
        return (Listing, value.open, tuple(map(_key, value.items)))
    if kind is Table:
        pairs = ((name, _key(item)) for name, item in value.items.items())
        return (Table, value.open, tuple(pairs))
    if kind is Choice:
        return (Choice, tuple(map(_key, value.options)))
    if kind is Partial:
        pairs = ((name, _key(item)) for name, item in value.kwargs.items())
        return (Partial, _key(value.function), _key(value.args), tuple(pairs))
    if kind is Function and value.closure is None:
        return (Function, id(value.node))
    if kind is Bound:
        return (Bound, _key(value.function), _key(value.receiver))
    return (kind, id(value))


_SIMPLE = {int, float, str, bool, bytes, type(None), Named, Sym, External, Unknown, Plain}


def named(value: Named, rest: str) -> Value:
    """What belongs to something given from outside, under a name that is the longer."""
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


def options_of(value: Value) -> tuple[Value, ...]:
    """The values that a value may be, as far as they are known."""
    return value.options if type(value) is Choice else (value,)


def choice(values: list[Value]) -> Value:
    """One of `values`: the value itself where they are the same, unknown where they are many."""
    flat = [option for value in values for option in options_of(value)]
    distinct = list({key_of(option): option for option in flat}.values())
    if len(distinct) == 1:
        return distinct[0]
    if any(type(option) is Unknown for option in distinct) or len(distinct) > _MOST_OPTIONS:
        return UNKNOWN
    return Choice(tuple(distinct))


_MOST_OPTIONS = 6
