"""The budget of reading: costs are counted in advance, for the run and for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

# The units of one step, which is the reading of a statement or a call.
STEP = 8
# The units for making a node of a graph and following it.
_NODE, _FOLLOWED = 4, 8
# The steps for a weight's record, from graph to finding; the first of a model cost nothing.
_RECORD, _FREE = 30, 20
# The most steps of a class or function, and its steps when the run's are used up.
SHARE, _LEAST = 100_000, 300
# What all these least shares may come to, in steps, and what each is left after that.
_RESERVE, _GLANCE = 100_000, 10
# The steps of a run: the base, and one for so many characters of source. Each file but the largest
# adds `_OF_A_FILE` steps for each of its characters, at most `_AT_MOST`: a repository of many small
# models takes more than one file that is as long.
_BASE, _CHARACTERS = 150_000, 2
_OF_A_FILE, _AT_MOST = 10, 20_000
# What the predictions of a run may cost, in units of graph/signal_cost.py, of 0.05 ms each: the
# base, and one for so many characters of source.
_PREDICTED, _CHARACTERS_OF_ONE = 25_000, 3
# Two values that are small on their own may be written to each other for ever: no value grows
# beyond these, in elements (of lists, tables and tuples), characters, and bits (torch's sizes are
# signed numbers of 64).
ELEMENTS, CHARACTERS, BITS = 10_000, 10_000, 63
# The longest symbolic name (`config.width`).
LONGEST_NAME = 1_000
# How many values may lie within one, all its parts counted as often as they are reached.
PARTS = 20_000


class TooMuchError(Exception):
    """A class or function costs more than its share; `place` is the loop in which it was."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place

    def __str__(self) -> str:
        return self.reason + (f", in the loop at {self.place}" if self.place else "")


class TooMuchSignalError(TooMuchError):
    """The signal of a model is not predicted; all else is known of it."""


class Budget:
    """The units of a run: its limit, its costs so far, and the end of the present share.

    `spent` is what was charged so far, `end` what it may come to. A charge is a call of one of the
    methods; only what is charged at every statement and call of the code that is read adds to
    `spent` itself, and calls `refuse` where that is beyond `end`.

    A class or function gets at most a quarter of the run's remaining units, so that later classes
    are read even if earlier ones would use all of them. Half of what further files bring is kept
    for the classes, which are read after the scripts: a package may hold hundreds of these.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """The budget of a run over files of these sizes, in characters."""
        characters = sum(sizes)
        further = sum(min(_AT_MOST, size * _OF_A_FILE) for size in sorted(sizes)[:-1])
        self.left = (_BASE + further + characters // _CHARACTERS) * STEP
        self.spent = 0
        self._kept = further * STEP // 2
        self._reserve = _RESERVE * STEP
        # What may still be spent on predictions of the signal.
        self.predictable = _PREDICTED + characters // _CHARACTERS_OF_ONE
        self._begun = 0
        self.end = 0
        self.begin()

    def begin_classes(self) -> None:
        """From here on all that is left may be spent: the scripts have been read."""
        self._kept = 0

    def begin(self) -> None:
        """Account for the last class or function, and give the next one its share."""
        cost = self.spent - self._begun
        self._reserve -= max(0, cost - self.left)
        self.left = max(0, self.left - cost)
        self._begun = self.spent
        least = _LEAST if self._reserve > 0 else _GLANCE
        self.end = self.spent + max(least * STEP, min(SHARE * STEP, (self.left - self._kept) // 4))

    def elements(self, count: int) -> None:
        """Charge elements of a list, tuple or table that are visited or copied, of a unit each.

        Raises TooMuchError where the share does not have as many, as the other charges do.
        """
        self.spent += count
        if self.spent > self.end:
            self.refuse()

    def steps(self, count: int = 1) -> None:
        """Charge statements and calls."""
        self.spent += count * STEP
        if self.spent > self.end:
            self.refuse()

    def nodes(self, count: int) -> None:
        """Charge nodes that are added to a graph."""
        self.spent += count * _NODE
        if self.spent > self.end:
            self.refuse()

    def refuse(self) -> NoReturn:
        """Raise TooMuchError, because more was spent than the share up to `end`."""
        # Work that was refused costs nothing.
        self.spent = self.end
        raise TooMuchError(f"gave up after {(self.end - self._begun) // STEP:,} steps")

    def followed(self, count: int) -> None:
        """Charge nodes of a graph that is followed."""
        self.elements(count * _FOLLOWED)

    def characters(self, count: int) -> None:
        """Charge characters of a text that is searched or copied."""
        self.elements(count // 64)

    def passable(self) -> int:
        """How many weights of parts may be gone through."""
        return self.left // STEP + _FREE

    def gone_through(self, count: int) -> None:
        """Charge the weights of a part that are gone through once more, to the run alone."""
        self._take(max(0, count - _FREE) * STEP)

    def records(self, count: int) -> None:
        """Charge records of a model's weights, which are judged later, to the run only.

        The first few of each model are free, so that late models are judged, too.
        """
        self._take(max(0, count - _FREE) * _RECORD * STEP)

    def predicted(self, count: int) -> None:
        """Charge the cost of a prediction that is about to be made, to the run alone."""
        if count > self.predictable:
            raise TooMuchSignalError(
                "scales are not judged, because the whole run has too much signal to predict"
            )
        self.predictable -= count

    def _take(self, cost: int) -> None:
        """Charge the run alone; raises TooMuchError where it does not have as many units."""
        if cost > self.left:
            raise TooMuchError("gave up, because the steps of the whole run were used up")
        self.left -= cost
