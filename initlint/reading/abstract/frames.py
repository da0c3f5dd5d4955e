"""Frames: one call of a function, and how its statements and those of its loops end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from initlint.reading.abstract.holders import Listing
from initlint.reading.abstract.values import Resumed, Slot, Value
from initlint.reading.sources.resolve import Module


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
    # What each way has loaded on which the function was left, under an undecided condition or by an
    # error: a fresh start may be one.
    left: list[dict[Slot, Resumed]] = field(default_factory=list)
    # The names that the function sets at the top level of its file.
    outer: tuple[str, ...] = ()


class Flow(Enum):
    """How a statement ends where the next one does not come."""

    RETURN = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEAD = auto()


# A compiled expression, and a compiled statement, which gives None where the next one comes.
Code = Callable[[Frame], Value]
Step = Callable[[Frame], Flow | None]
