"""What an expression may be worth to a reader who runs nothing: abstract values."""

from __future__ import annotations

import ast
from dataclasses import field
from fractions import Fraction
from typing import Any

from initlint.dataflow.draws import Draw
from initlint.quickdata import dataclass
from initlint.source.graph import Node

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
    """Where some data is larger, or smaller, than something else: `node` is the data's."""

    def __init__(self, node: Node) -> None:
        self.node = node


UNKNOWN = Unknown()
PLAIN = Plain()


@dataclass(frozen=True, slots=True)
class Named:
    """A value that was given from outside under a name, such as a constructor's argument."""

    name: str


@dataclass(frozen=True, slots=True)
class Sym:
    """A positive number that is a multiple of powers of named ones."""

    factor: Fraction | float
    powers: tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True, slots=True)
class External:
    """Something that lies outside the files read, by its dotted name."""

    name: str


@dataclass(slots=True, eq=False, repr=False)
class Tensor:
    """Computed data: the result of a node of the graph."""

    node: Node


@dataclass(slots=True, eq=False, repr=False)
class Slot:
    """One parameter: its place, its shape as far as it is known, and what was written to it last.

    `arms` are the undecided conditions under which it came to be, `home` is the module whose
    constructor made it.
    """

    holder: Any
    name: str
    shape: tuple[Value, ...] | None
    draw: Draw
    arms: tuple[int, ...] = ()
    home: Any = None
    site: Any = None


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


def key_of(value: Value) -> Any:
    """Something hashable that is equal for values that are the same to every reader."""
    kind = type(value)
    if kind in _SIMPLE:
        return (kind, value)
    if kind is tuple:
        return (tuple, tuple(map(key_of, value)))
    if kind is Listing:
        return (Listing, value.open, tuple(map(key_of, value.items)))
    if kind is Table:
        pairs = ((name, key_of(item)) for name, item in value.items.items())
        return (Table, value.open, tuple(pairs))
    if kind is Choice:
        return (Choice, tuple(map(key_of, value.options)))
    if kind is Partial:
        pairs = ((name, key_of(item)) for name, item in value.kwargs.items())
        return (Partial, key_of(value.function), key_of(value.args), tuple(pairs))
    if kind is Function and value.closure is None:
        return (Function, id(value.node))
    if kind is Bound:
        return (Bound, key_of(value.function), key_of(value.receiver))
    return (kind, id(value))


_SIMPLE = {int, float, str, bool, bytes, type(None), Named, Sym, External, Unknown, Plain}


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
