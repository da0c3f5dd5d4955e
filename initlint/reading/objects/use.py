"""One weight where it is multiplied with data, as the reader knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False, repr=False)
class Use:
    """One weight where it is multiplied with data.

    `slot` is the parameter, `draw` what it holds, `fans` its fan_in and fan_out (numbers, or
    symbols), `following` the fixed answer where the operation itself decides what follows; `biased`
    holds where a bias may be added to the result. `spread`, `recurrent` and `stacked` as in
    `graph.steps.Weight`. `owner` is the module that is called, if one is; `arms`
    are the undecided conditions under which the use comes to be.
    """

    slot: Any
    type: str
    fans: tuple[Any, Any]
    draw: Any
    following: str = ""
    follows: tuple[str, ...] = ()
    reparametrised: bool = False
    biased: bool = True
    spread: float = 1
    recurrent: str = ""
    owner: Any = None
    arms: tuple[int, ...] = ()
    stacked: bool = False

    def holding(self, draw: Any) -> Use:
        """The same use of a parameter that holds something else."""
        return Use(
            self.slot,
            self.type,
            self.fans,
            draw,
            self.following,
            self.follows,
            self.reparametrised,
            self.biased,
            self.spread,
            self.recurrent,
            self.owner,
            self.arms,
            self.stacked,
        )
