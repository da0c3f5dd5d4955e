"""The signal through models, predicted and measured, for three initialisations of each: as data."""

from __future__ import annotations

from dataclasses import dataclass

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
