"""What reading may cost: counted before the work is done, for a whole run and for each class."""

from __future__ import annotations

# One step is the reading of a statement or a call; these many units.
STEP = 8
# Making a node of a graph, and following it to the end.
_NODE, _FOLLOWED = 4, 8
# A record of a weight, from the graph to the finding, in steps; so many of a model cost nothing.
_RECORD, _FREE = 30, 20
# What a class or function may cost, in steps, and what each is left when the run's are used up.
SHARE, _LEAST = 30_000, 300
# The steps of a run: these, and one for so many characters of what is read.
_BASE, _CHARACTERS = 150_000, 2
# Two values that are small on their own may be written to each other for ever: no value grows
# beyond these, in elements (of lists, tables and tuples), characters, and bits (torch's sizes are
# signed numbers of 64).
ELEMENTS, CHARACTERS, BITS = 10_000, 10_000, 63
# Names of what is given from outside (`config.width`) are worked out, and may grow as well.
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


class Budget:
    """The units that a run may cost, what it has cost so far, and where the present share ends.

    Nobody takes more than a quarter of what is left of the run's, so that classes which come later
    are read even where the ones before them would take all.
    """

    def __init__(self, characters: int) -> None:
        self.left = (_BASE + characters // _CHARACTERS) * STEP
        self.spent = 0
        self._begun = self._end = 0
        self.begin()

    def begin(self) -> None:
        """Settle what the last class or function has cost, and allot the next one its share."""
        self.left = max(0, self.left - (self.spent - self._begun))
        self._begun = self.spent
        self._end = self.spent + max(_LEAST * STEP, min(SHARE * STEP, self.left // 4))

    def units(self, count: int) -> None:
        """Charge units; raises TooMuchError where the share does not have as many."""
        self.spent += count
        if self.spent > self._end:
            # What was not done has cost nothing.
            self.spent = self._end
            raise TooMuchError(f"gave up after {(self._end - self._begun) // STEP:,} steps")

    def steps(self, count: int = 1) -> None:
        """Charge statements and calls."""
        self.units(count * STEP)

    def nodes(self, count: int) -> None:
        """Charge nodes that are added to a graph."""
        self.units(count * _NODE)

    def followed(self, count: int) -> None:
        """Charge nodes of a graph whose data is followed."""
        self.units(count * _FOLLOWED)

    def elements(self, count: int) -> None:
        """Charge elements of a list, tuple or table that are gone through or copied."""
        self.units(count)

    def characters(self, count: int) -> None:
        """Charge characters of a text that is searched or copied."""
        self.units(count // 64)

    def records(self, count: int) -> None:
        """Charge records of a model's weights, which are judged later, to the run alone.

        A few of each model are free, so that what comes late is judged as well.
        """
        cost = max(0, count - _FREE) * _RECORD * STEP
        if cost > self.left:
            raise TooMuchError("gave up, because the steps of the whole run were used up")
        self.left -= cost
