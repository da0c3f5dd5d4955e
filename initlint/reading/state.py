"""What a reader keeps in mind: frames, undecided conditions, the graph being drawn, and joins."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any

from initlint.graph.ops import Graph, Op
from initlint.reading.budget import PARTS, Budget, TooMuchError
from initlint.reading.holders import Function, Instance, Listing, Table
from initlint.reading.life import Life
from initlint.reading.parts import (
    MOST_MADE,
    choice,
    contents_of,
    count_parts,
    is_content,
    is_small,
    key_of,
    may_hold,
    options_of,
    parts_of,
    unsure,
)
from initlint.reading.resolve import Module, Program
from initlint.reading.submodules import modules_of
from initlint.reading.use import Use
from initlint.reading.values import PLAIN, UNKNOWN, Fresh, Slot, Tensor, Unknown, Value
from initlint.records import Site, Test
from initlint.torchlib.draws import UNCLEAR, Draw
from initlint.torchlib.history import after, perhaps


class ImpossibleError(Exception):
    """The statement that is read would raise: what comes after it is never reached."""


@dataclass(slots=True, eq=False, repr=False)
class Frame:
    """One call of a function: its local names, and where it looks for the others.

    `ways_out` counts the undecided conditions under which a loop, or the function, was left.
    """

    module: Module
    closure: Frame | None = None
    receiver: Value = None
    owner: Value = None
    names: dict[str, Value] = field(default_factory=dict)
    returns: list[Value] = field(default_factory=list)
    yields: Listing | None = None
    ways_out: int = 0
    # The names that the function sets at the top level of its file.
    outer: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Walk:
    """A walk over the modules or parameters of `whole`.

    `item` is the module or parameter that it has reached, `known` the number of modules of `whole`
    once that was asked.
    """

    whole: Instance
    item: Value = None
    known: int = 0

    def count(self) -> int:
        """The number of modules of `whole`."""
        self.known = self.known or len(modules_of(self.whole))
        return self.known


class State:
    """What all parts of the reader share."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.budget = Budget(program.characters)
        self.graph = Graph(self.budget)
        self.constructing: Instance | None = None
        self.arms: tuple[int, ...] = ()
        self.frames: list[Frame] = []
        self.active: list[object] = []
        # What of the present class or function was not followed; empty where all of it was.
        self.unfollowed = ""
        self.memo: dict[object, Instance] = {}
        self.results: dict[object, Value] = {}
        # Initialising calls that are made outside of constructors, on what no module holds.
        self.loose: list[Any] = []
        # Names of the project that code calls and whose module was not found, by file and name.
        self.astray: dict[tuple[str, str], None] = {}
        # Calls that are a statement of their own, so that nothing keeps their results.
        self.alone: set[ast.AST | None] = set()
        # Of names that are filled, whether they are copies that nothing else uses.
        self.lost_copies: dict[ast.AST, bool] = {}
        # Around what is read, how many `with` may switch gradients off.
        self.ungraded = 0
        # How many writes, and calls of unknown functions, there were.
        self.acts = 0
        # Questions that a function asked of what it is handed, and that were answered with no.
        self.denied: list[tuple[Any, str]] = []
        # What loops over modules and parameters, and callbacks, are at, outermost first.
        self.visits: list[Any] = []
        # How many models are followed as data goes through them: what they ask fills nothing.
        self.drawing = 0
        # Keeps what is asked of modules that lie in no model.
        self.nowhere = Instance(None, "")
        self.life = Life()
        # Whether scripts and functions are followed that make models, and not the data of a model.
        self.living = False
        # Whether nothing that is written counts, because a method of unknown use is followed.
        self.still = False
        # What was written under undecided conditions: what the parameter holds then, as far as is
        # known, and what it holds where the condition is true.
        self.undecided: list[tuple[Slot, Draw, Draw]] = []
        # Branches and functions that are named after a scheme.
        self.options: list[Test] = []
        # Parameters that are loaded under a condition.
        self.resumed: list[Slot] = []
        # Whether there are layers that stand for those of modules which are not read.
        self.has_samples = False
        # The loops and calls of `apply` that go through a module and are running, outermost first.
        self.walks: list[Walk] = []
        # How many `try` with handlers are around what is read.
        self.trying = 0
        # Models, each with a module that a framework's hook has initialised for it.
        self.hooked: set[tuple[Instance, Instance]] = set()
        # The model whose hook is running; models, each with what their hooks have written.
        self.hooking: Instance | None = None
        self.covered: set[tuple[Instance, Slot | Fresh]] = set()
        # Functions of the files that were followed while models were made.
        self.followed: set[ast.AST] = set()
        # Functions that constructors of modules have called: what these give is a part.
        self.makers: set[ast.AST] = set()
        # All functions of the files that were followed.
        self.reached: set[ast.AST] = set()
        self._arm = 0

    def call(
        self,
        function: Value,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> Value:
        """The result of a call; `node` is where it stands in the source."""
        raise NotImplementedError

    def follow(
        self,
        function: Function,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> Value:
        """The result of a function of the files read."""
        raise NotImplementedError

    def call_instance(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        node: ast.AST | None = None,
    ) -> Value:
        """The result of calling a module."""
        raise NotImplementedError

    def attribute(self, value: Value, name: str) -> Value:
        """The value of an attribute."""
        raise NotImplementedError

    @property
    def outside(self) -> bool:
        """Whether code is read that makes and fills models, and not a constructor or forward."""
        return self.living and self.constructing is None

    def new_arm(self) -> tuple[int, ...]:
        """The present undecided conditions, and one more."""
        self._arm += 1
        return (*self.arms, self._arm)

    def site(self, node: ast.AST | None) -> Site | None:
        """Where an expression stands."""
        if node is None or not self.frames:
            return None
        return self.frames[-1].module.source.site(node)

    # The graph.

    def nodes_in(self, values: Iterable[Value]) -> list[Op]:
        """The nodes of all tensors in values, each once."""
        budget = self.budget
        return list(dict.fromkeys(n for value in values for n in flat_tensors(value, budget)))

    def weigh(self, values: Iterable[Value]) -> None:
        """Charge all that lies within values; raises TooMuchError where that is too much."""
        for value in values:
            if type(value) is not Tensor and contents_of(value):
                count = count_parts(value, PARTS)
                if count > PARTS:
                    raise TooMuchError("gave up at a value of too many parts")
                self.budget.elements(count)

    def node(self, role: str, inputs: Sequence[Op] = (), name: str = "") -> Tensor:
        """The result of a new operation."""
        return Tensor(self.graph.add(Op(role, tuple(inputs), name)))

    def unclear(self, inputs: Sequence[Op] = ()) -> Tensor:
        """The result of an operation of which nothing is known."""
        return self.node("unknown", inputs)

    def joined(self, one: Value, other: Value) -> Value:
        """The value of a name that holds one or the other of two."""
        if one is other:
            return one
        if type(one) is Tensor or type(other) is Tensor:
            return self._joined_tensors(one, other)
        if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
            if not (is_small(one) and is_small(other)):
                return UNKNOWN
            return tuple(self.joined(a, b) for a, b in zip(one, other, strict=True))
        if isinstance(one, (Listing, Table)) and type(one) is type(other):
            return self._joined_holders(one, other)
        if key_of(one) == key_of(other):
            return one
        if _is_number(one) and _is_number(other):
            return PLAIN
        if self.outside and UNKNOWN in (one, other):
            # A model that is made here, or one that comes from elsewhere, such as a file.
            known = other if one is UNKNOWN else one
            if all(isinstance(o, Instance) and o in self.life.of for o in options_of(known)):
                return known
        return choice([one, other], MOST_MADE if self.outside else 0)

    def _joined_holders(self, one: Listing | Table, other: Listing | Table) -> Value:
        """The longer of two lists or tables; where the shorter holds other weights, both."""
        long, short = (one, other) if len(one.items) >= len(other.items) else (other, one)
        kept = {id(value) for value in long.parts()}
        lost = [value for value in short.parts() if id(value) not in kept and may_hold(value)]
        if not lost:
            return long
        if not (is_small(long) and is_small(short)):
            return unsure([long, short])
        if isinstance(long, Listing) and isinstance(short, Listing):
            pairs = zip(long.items, short.items, strict=False)
            items = [*starmap(self.joined, pairs), *long.items[len(short.items) :]]
            return Listing(items, long.open or short.open)
        both = {**short.items, **long.items}  # type: ignore[dict-item]
        for key in short.items:
            if key in long.items:
                both[key] = self.joined(long.items[key], short.items[key])
        return Table(both, long.open or short.open)

    def _joined_tensors(self, one: Value, other: Value) -> Value:
        if type(one) is not Tensor:
            one, other = other, one
        if type(other) is Tensor:
            return Tensor(self.merged(one.node, other.node))
        if isinstance(other, Unknown):
            return self.unclear([one.node])
        if isinstance(other, tuple) and other and type(other[0]) is Tensor:
            return self.joined(one, other[0])
        return one

    def merged(self, one: Op, other: Op) -> Op:
        """The node of a value that is one or the other of two."""
        if one is other or _passes(one, other):
            return one
        if _passes(other, one):
            return other
        return self.node("choice", [one, other]).node

    # What is written to parameters.

    def write(self, slot: Slot | Fresh, draw: Draw) -> None:
        """A parameter is filled; under a condition that its layer does not share, who knows."""
        self.acts += 1
        if self.still or slot in self.life.frozen:
            return
        if self.hooking is not None:
            self.covered.add((self.hooking, slot))
        before = self._before(slot)
        is_news = isinstance(slot, Slot) and (draw.name, before.name) != (UNCLEAR.name,) * 2
        self.life.changes += is_news
        sure = draw
        if not self.is_certain(slot) and not is_same(before, draw):
            draw = perhaps(draw)
        entry = after(draw, before, self.within())
        if self.walks and isinstance(slot, Slot):
            entry.visited, entry.nested = self._reached(slot)
        if draw is not sure and self.outside and isinstance(slot, Slot):
            self.undecided.append((slot, entry, after(sure, before, self.within())))
        if isinstance(slot, Fresh):
            slot.draw = entry
            for parameter in slot.slots:
                self.write(parameter, draw)
            if slot.base is not None:
                self.write(slot.base, UNCLEAR.at(draw.site))
        elif self.constructing is None or slot.home is self.constructing:
            slot.draw = entry
        else:
            self.constructing.overrides[slot] = entry

    def _before(self, slot: Slot | Fresh) -> Draw:
        """What a parameter holds now, with a load under a condition that surely comes before."""
        before = self.drawn(slot)
        load = slot.resumed if isinstance(slot, Slot) else None
        if load is None or load.by not in (None, self.constructing, getattr(slot, "home", None)):
            return before
        is_lost = load.arms[: len(self.arms)] == self.arms
        return after(load.draw, before) if is_lost else before

    def walked(self, value: Value, items: Sequence[Value]) -> Iterator[Value]:
        """The items that a loop over a value goes through, each noted when it is reached."""
        whole = value.whole if type(value) is Listing else None
        if whole is None:
            yield from items
            return
        walk = Walk(whole)
        self.walks.append(walk)
        try:
            for item in items:
                walk.item = item
                while isinstance(walk.item, tuple) and walk.item:
                    walk.item = walk.item[-1]
                yield item
        finally:
            self.walks.remove(walk)

    def _reached(self, slot: Slot) -> tuple[int, bool]:
        """How many modules a loop visits to reach a parameter, and whether it is nested."""
        for walk in reversed(self.walks):
            if walk.item is slot or walk.item is slot.holder:
                most = max(each.count() for each in self.walks)
                is_inner = any(outer.item is walk.whole for outer in self.walks)
                is_all = walk.item is slot and slot.holder is not walk.whole
                return most, is_inner and is_all
        return 0, False

    def settle(self, begun: int, ended: int) -> None:
        """What was written here under a condition holds for every model that begins afresh."""
        for slot, entry, sure in self.undecided[begun:ended]:
            if slot.draw is entry and self.is_certain(slot):
                slot.draw = sure

    def is_certain(self, slot: Slot | Fresh) -> bool:
        """Whether the present code runs wherever this parameter has been made."""
        return slot.arms[: len(self.arms)] == self.arms

    def within(self) -> str:
        """The name of the function that is read; empty at the top level of a file."""
        for node in reversed(self.active):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return node.name
        return ""

    def drawn(self, slot: Slot | Fresh) -> Draw:
        """What a parameter, or a tensor that may become one, holds now."""
        if self.constructing is None or isinstance(slot, Fresh):
            return slot.draw
        return self.constructing.overrides.get(slot, slot.draw)

    def redrawn(self, use: Use, owner: Instance) -> Use:
        """A weight as `owner`, in whose constructor it may have been filled, leaves it."""
        draw = owner.overrides.get(use.slot)
        return use if draw is None else use.holding(draw)


def _passes(late: Op, early: Op) -> bool:
    """Whether a node is another one's value, moved or masked."""
    for _ in range(3):
        if late is early:
            return True
        moved = late.role in ("shape", "dropout") or late.name == "carried"
        if not moved or len(late.inputs) != 1:
            return False
        late = late.inputs[0]
    return late is early


def is_same(one: Draw, other: Draw) -> bool:
    """Whether two draws have the same distribution."""
    is_alike = one.name == other.name != "unknown" and one.args == other.args
    return bool(is_alike and (one.mean, one.offset) == (other.mean, other.offset))


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def flat_tensors(value: Value, budget: Budget | None = None) -> list[Op]:
    """The nodes of all tensors in a value, in order; each list, tuple, … is gone through once."""
    kind = type(value)
    if kind is Tensor:
        return [value.node]
    if not _carries(value):
        return []
    found: list[Op] = []
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if type(part) is Tensor:
            found.append(part.node)
        elif _carries(part) and id(part) not in seen:
            seen.add(id(part))
            inner = parts_of(part)
            if budget is not None:
                budget.elements(len(inner))
            waiting += reversed(inner)
    return found


def _carries(value: Value) -> bool:
    """Whether tensors in a value are its own: those of a module are not."""
    return is_content(value) or (type(value) is Instance and value.torch == "")
