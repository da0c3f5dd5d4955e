"""Profile: the signal through models, predicted and measured, for three initialisations of each."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from initlint.pipeline.judged import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The initialisations that are compared.
PRESENT, RECOMMENDED, DEFAULT = WAYS = ("present", "recommended", "default")


@dataclass(frozen=True, slots=True)
class Row:
    """The signal at one use of a weight: root mean squares of its operation's result.

    - `layer`, `type`: the layer's name in the model, and its class; `model`: the model's name.
    - `predicted`: the result before its activation; of 100 draws of the weights, about 90 lie
      between `low` and `high`.
    - `predicted_gradient`: the gradient of the loss there, if that at the model's result is 1.
    - `measured`, `measured_gradient`: the same in one run; None if it was not run.
    - `relative_to`: why the prediction has started again before this layer with the value 1; ""
      if it has not. `gradient_relative_to`: the same of the gradient, after this layer.
    """

    model: str
    parameter: str
    layer: str
    type: str
    predicted: float
    low: float
    high: float
    predicted_gradient: float
    measured: float | None = None
    measured_gradient: float | None = None
    relative_to: str = ""
    gradient_relative_to: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signal through one model.

    - `rows`: by each of `WAYS` the same layers, in the order of the data. A way that is not known
      is absent.
    - `assumed`: what the prediction assumes of the model's inputs.
    - `notes`: why nothing was measured, and why a way is absent, each in one sentence.
    """

    model: str
    rows: dict[str, tuple[Row, ...]]
    assumed: str
    notes: tuple[str, ...] = ()


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

        write_whole(os.fsdecode(path), page(self).encode("utf-8", "backslashreplace"), "to_html")

    def __str__(self) -> str:
        from initlint.profile.table import render

        return render(self)

    def __repr__(self) -> str:
        """One line: which models, and how many layers."""
        names = ", ".join(model.model for model in self.models)
        return f"<Profile of {names or 'no model'}: {len(self.rows)} layers>"

    def _repr_html_(self) -> str:
        from initlint.profile.page import excerpt

        return excerpt(self)
