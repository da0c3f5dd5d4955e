"""How every parameter of a report starts, and what differs between two versions of the code."""

from __future__ import annotations

import ast
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from initlint.records import Draw, Parameter, Site
from initlint.torchlib.draws import ARGUMENTS, METHODS

# Initialisers that differ in how their scale is written alone.
_FAMILIES = {
    **dict.fromkeys(("kaiming_normal_", "xavier_normal_", "normal_"), "normal"),
    **dict.fromkeys(("kaiming_uniform_", "xavier_uniform_", "uniform_"), "uniform"),
    **dict.fromkeys(("zeros_", "ones_", "constant_"), "constant"),
}
UNKNOWN = "unknown"


class Place(NamedTuple):
    """Where a parameter belongs: its file, from the folder that was read, its model, its name."""

    path: str
    model: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Write:
    """One write whose values are still there when the model is made.

    `part` marks a write to some of the elements, and `certain` is False under a condition that
    cannot be decided. Where `std` is None, `args` tell what was written.
    """

    initializer: str
    mean: float | None
    std: float | None
    args: Mapping[str, Any] = field(default_factory=dict)
    part: bool = False
    certain: bool = True
    site: Site | None = field(default=None, compare=False)

    @property
    def known(self) -> bool:
        """Whether it can be compared with another one."""
        return self.initializer != UNKNOWN

    def may_be(self, other: Write) -> bool:
        """Whether both may draw from one distribution: numbers may come by another way."""
        return self.like(other) or (
            (self.part, self.certain) == (other.part, other.certain)
            and _family(self.initializer) == _family(other.initializer)
            and self.std is None
            and other.std is None
            and _ends(self.args) == _ends(other.args)
        )

    def like(self, other: Write) -> bool:
        """Whether both draw from one distribution, however it is written."""
        if (self.part, self.certain) != (other.part, other.certain):
            return False
        mine, yours = _family(self.initializer), _family(other.initializer)
        if self.std is None or other.std is None:
            return (mine, self.std, dict(self.args)) == (yours, other.std, dict(other.args))
        return mine == yours and _close(self.std, other.std) and _close(self.mean, other.mean)


@dataclass(frozen=True, slots=True)
class Start:
    """What one parameter holds when its model is made: none of the `writes` hides the others.

    `hook` is covered or missed where a framework's hook (`_init_weights`) initialises the model:
    what it misses is memory that nothing wrote if weights are loaded that lack this parameter.
    """

    shape: tuple[int | None, ...] | None
    writes: tuple[Write, ...] = ()
    site: Site | None = field(default=None, compare=False)
    hook: str = ""

    @property
    def known(self) -> bool:
        """Whether all of its writes are understood."""
        return all(write.known for write in self.writes)

    def unlike(self, other: Start) -> bool:
        """Whether they differ even if all that is not understood is the same."""
        if _clash(self.shape, other.shape) or self.hooked_unlike(other):
            return True
        pairs = list(zip(self.writes, other.writes, strict=False))
        return any(a.known and b.known and not a.may_be(b) for a, b in pairs) or (
            self.known and other.known and len(self.writes) != len(other.writes)
        )

    def hooked_unlike(self, other: Start) -> bool:
        """Whether a hook fills the one, and leaves out the other."""
        return bool(self.hook and other.hook) and self.hook != other.hook

    def like(self, other: Start) -> bool:
        """Whether both have one shape and start from one distribution."""
        if self.shape != other.shape or len(self.writes) != len(other.writes):
            return False
        if self.hooked_unlike(other):
            return False
        return all(mine.like(yours) for mine, yours in zip(self.writes, other.writes, strict=True))


# A model that is made in several ways has several starts of a parameter.
Starts = Mapping[Place, tuple[Start, ...]]


class Change(NamedTuple):
    """A parameter that starts differently; `old` or `new` is empty where it is not there."""

    place: Place
    old: tuple[Start, ...]
    new: tuple[Start, ...]


class Compared(NamedTuple):
    """The changes, the number of parameters that start alike, and those that cannot be compared."""

    changes: tuple[Change, ...]
    alike: int
    unclear: tuple[Place, ...]


def starts(parameters: Iterable[Parameter], root: str) -> Starts:
    """How each parameter starts; `root` is the file or the folder that was read, "" if none was."""
    found: defaultdict[Place, list[Start]] = defaultdict(list)
    for parameter in parameters:
        place = Place(_path(parameter.site, root), _bare(parameter.model), parameter.name)
        writes = _left(parameter.history)
        start = Start(parameter.shape, writes, parameter.site, parameter.hook)
        if not any(start.like(other) for other in found[place]):
            found[place].append(start)
    return {place: tuple(every) for place, every in found.items()}


def compared(old: Starts, new: Starts) -> Compared:
    """What differs. A model that has moved to another file is compared with itself.

    So is a parameter that a base class in another file makes now.
    """
    moved = _moved(old, new)
    before = {
        Place(*moved.get(place[:2], place[:2]), place.parameter): every
        for place, every in old.items()
    }
    elsewhere = _made_elsewhere(before, new)
    before = {elsewhere.get(place, place): every for place, every in before.items()}
    changes: list[Change] = []
    unclear: list[Place] = []
    alike = 0
    for place in sorted({*before, *new}):
        was, now = before.get(place, ()), new.get(place, ())
        if _same(was, now):
            known = all(start.known for start in (*was, *now))
            alike += known
            unclear += [] if known else [place]
        elif was and now and not all(a.unlike(b) for a in was for b in now):
            unclear.append(place)
        else:
            changes.append(Change(place, was, now))
    return Compared(tuple(changes), alike, tuple(unclear))


def _same(old: Sequence[Start], new: Sequence[Start]) -> bool:
    """Whether each of the starts is among the others, too."""
    return all(any(a.like(b) for b in new) for a in old) and all(
        any(a.like(b) for b in old) for a in new
    )


def _moved(old: Starts, new: Starts) -> dict[tuple[str, str], tuple[str, str]]:
    """Models that are in another file now, if their name tells which they are: old to new."""
    was, now = ({(p.path, p.model) for p in side} for side in (old, new))
    gone, come = _by_name(was - now), _by_name(now - was)
    return {
        gone[name][0]: come[name][0]
        for name in gone.keys() & come.keys()
        if len(gone[name]) == len(come[name]) == 1
    }


def _made_elsewhere(old: Starts, new: Starts) -> dict[Place, Place]:
    """Parameters of one model that another file makes now, old to new: their names are unique."""
    sides: list[dict[tuple[str, str], list[Place]]] = [{}, {}]
    for side, places in zip(sides, (old.keys() - new.keys(), new.keys() - old.keys()), strict=True):
        for place in places:
            side.setdefault((place.model, place.parameter), []).append(place)
    gone, come = sides
    return {
        gone[name][0]: come[name][0]
        for name in gone.keys() & come.keys()
        if len(gone[name]) == len(come[name]) == 1
    }


def _by_name(models: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, model in models:
        found[model].append((path, model))
    return found


def _left(history: Sequence[Draw]) -> tuple[Write, ...]:
    """The writes since the last one that has certainly filled the whole tensor."""
    whole = [number for number, draw in enumerate(history) if draw.certain and not draw.part]
    kept = history[whole[-1] :] if whole else history
    writes = [
        Write(_name(draw), draw.mean, draw.std, draw.args, draw.part, draw.certain, draw.site)
        for draw in kept
    ]
    # What may be drawn again in the same way changes nothing.
    return tuple(write for write in writes if write.certain or not _repeats(write, writes[0]))


def _repeats(write: Write, first: Write) -> bool:
    return first.certain and first.known and replace(write, certain=True).like(first)


def _name(draw: Draw) -> str:
    """The initialiser; of one that gets names for numbers, the one that was called."""
    called = METHODS.get(draw.spelled, draw.spelled)
    wanted = ARGUMENTS.get(called if called in ARGUMENTS else f"{called}_")
    if draw.name != UNKNOWN or draw.part or not wanted or wanted.keys() != draw.args.keys():
        return draw.name
    return called if called in ARGUMENTS else f"{called}_"


def _path(site: Site | None, root: str) -> str:
    """A file's path from `root`, with forward slashes; empty if it is `root` itself."""
    if site is None or not root:
        return ""
    path = os.path.relpath(site.path, root).replace(os.sep, "/")
    return "" if path == "." else path


def _bare(model: str) -> str:
    """A model's name without its file, which is part of it where several have the same name."""
    return model.rpartition(":")[2]


def _clash(one: tuple[int | None, ...] | None, other: tuple[int | None, ...] | None) -> bool:
    """Whether two shapes differ for certain; a size that is not known may be any."""
    if one is None or other is None:
        return False
    pairs = list(zip(one, other, strict=False))
    return len(one) != len(other) or any(a != b and None not in (a, b) for a, b in pairs)


def _ends(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments, of expressions the last names: `config.text_config.init_std` ends in `init_std`.

    A configuration may be reached by another way and be the same.
    """
    return {
        key: value if (read := _expression(value)) is None else _leaves(read)
        for key, value in args.items()
    }


def _expression(value: object) -> ast.AST | None:
    """An argument that is an expression of the source; None for a word such as fan_in."""
    if not isinstance(value, str) or value.isidentifier():
        return None
    try:
        return ast.parse(value, mode="eval").body
    except (SyntaxError, ValueError):
        # Any text that the code gives, as `mode="fan in"`.
        return None


def _leaves(node: ast.AST) -> frozenset[str]:
    """The last names, numbers and operators of an expression, in whatever order."""
    match node:
        case ast.Attribute():
            return frozenset([node.attr])
        case ast.Name():
            return frozenset([node.id])
        case ast.Constant():
            return frozenset([repr(node.value)])
        case ast.IfExp():
            return _leaves(node.body) | _leaves(node.orelse)
        case ast.operator() | ast.unaryop():
            return frozenset([type(node).__name__])
    return frozenset().union(*map(_leaves, ast.iter_child_nodes(node)))


def _family(initializer: str) -> str:
    return _FAMILIES.get(initializer, initializer)


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
