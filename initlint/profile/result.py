"""Profile: the signal through models, as a table, a picture or a page."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from initlint.pipeline.asked import Report
from initlint.profile.signals import DEFAULT, PRESENT, RECOMMENDED, Row, Signals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Profile:
    """The signal through one model or several; `str()` is a table for the terminal.

    `rows` are those of the models as they are, `recommended` those with the findings
    mended, as `--fix` and `apply_(model)` leave them, `default` those with PyTorch's. `report` has
    the findings, and what was not analysed.
    """

    models: tuple[Signals, ...]
    report: Report = field(default_factory=Report)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The layers of all models as they are, in the order of the data."""
        return self._of(PRESENT)

    @property
    def recommended(self) -> tuple[Row, ...]:
        """The same layers with the findings mended, as `--fix` and `apply_(model)` leave them."""
        return self._of(RECOMMENDED)

    @property
    def default(self) -> tuple[Row, ...]:
        """The same layers with PyTorch's default."""
        return self._of(DEFAULT)

    def _of(self, way: str) -> tuple[Row, ...]:
        return tuple(row for model in self.models for row in model.rows.get(way, ()))

    def plot(self) -> Figure:
        """The picture, as a figure of matplotlib's. Raises InitlintError where that is absent."""
        from initlint.profile.picture import drawn

        return drawn(self.models)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write a page that needs no other file; an old one is replaced as a whole."""
        from initlint.profile.page import page
        from initlint.safe.written import write_whole

        text = page(self.models, self.report)
        write_whole(os.fsdecode(path), text.encode("utf-8", "backslashreplace"), "to_html")

    def __str__(self) -> str:
        from initlint.profile.table import render

        return render(self.models, self.report)

    def __repr__(self) -> str:
        """One line: which models, and how many layers."""
        names = ", ".join(model.model for model in self.models)
        return f"<Profile of {names or 'no model'}: {len(self.rows)} layers>"

    def _repr_html_(self) -> str:
        from initlint.profile.page import excerpt

        return excerpt(self.models, self.report)
