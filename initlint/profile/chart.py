"""The picture of one model as data: two panels on a logarithmic scale, a line for each way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initlint.profile.signals import PRESENT, WAYS, Row, Signals
from initlint.profile.table import labels

# The least and the largest number that is drawn, as powers of ten.
_LEAST, _LARGEST = -140.0, 140.0
# Two draws of one initialiser differ by less than this factor.
_CLOSE = 1.15
# So many marks does an axis have at most.
_MOST_MARKS = 7


@dataclass(frozen=True, slots=True)
class Point:
    """One layer: its place on the x axis, and powers of ten. None for what is zero or not known.

    `starts` is True where the prediction starts again: no line leads to the point.
    """

    place: int
    predicted: float | None
    low: float | None
    high: float | None
    measured: float | None
    starts: bool
    relative: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One axis system: by way the points, and the powers of ten between which they lie."""

    title: str
    lines: dict[str, tuple[Point, ...]]
    low: float
    high: float

    def marks(self) -> list[tuple[float, str]]:
        """Where the y axis has marks, and what is written there."""
        span = self.high - self.low
        if span <= 2:
            found = [
                (d, f) for d in range(int(self.low) - 1, int(self.high) + 1) for f in (1, 2, 5)
            ]
            values = [d + math.log10(f) for d, f in found]
            return [(v, f"{10**v:.3g}") for v in values if self.low <= v <= self.high]
        step = math.ceil(span / _MOST_MARKS)
        first = math.ceil(self.low / step) * step
        return [(v, _power(v)) for v in range(first, math.floor(self.high) + 1, step)]


def _power(exponent: int) -> str:
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return "10" + "".join(_RAISED[c] for c in str(exponent))


_RAISED = dict(zip("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture of one model: names of the layers along the x axis, forward, backward.

    `legend` has the text for each way. One that is as the present one is not drawn.
    """

    model: str
    names: tuple[str, ...]
    panels: tuple[Panel, Panel]
    legend: dict[str, str]


def chart(signals: Signals) -> Chart:
    """What is to be drawn of one model."""
    alike = [way for way in signals.rows if way != PRESENT and _is_present(way, signals)]
    drawn = {way: rows for way, rows in signals.rows.items() if way not in alike}
    ahead = {way: _ahead(rows) for way, rows in drawn.items()}
    back = {way: _back(rows) for way, rows in drawn.items()}
    names = tuple(labels(signals.rows.get(PRESENT, ())))
    panels = (_panel("signal, forward", ahead), _panel("gradient, backward", back))
    same = f" ({', '.join(alike)}: the same)" if alike else ""
    legend = {way: way + (same if way == PRESENT else "") for way in WAYS if way in drawn}
    return Chart(signals.model, names, panels, legend)


def _is_present(way: str, signals: Signals) -> bool:
    """Whether a way of initialising is the present one, up to chance."""

    def is_close(one: float, other: float, chance: float) -> bool:
        factor = max(one, other) / min(one, other) if min(one, other) > 0 else math.inf
        return one == other or factor < max(_CLOSE, chance)

    present = signals.rows[PRESENT]
    # How far two draws may lie from each other; the gradient has no range of its own.
    spreads = [row.high / row.predicted for row in present if row.predicted > 0]
    most = max(spreads, default=_CLOSE)
    return all(
        is_close(one.predicted, other.predicted, one.high / one.predicted if one.predicted else 0)
        and is_close(one.predicted_gradient, other.predicted_gradient, most)
        for one, other in zip(present, signals.rows[way], strict=True)
    )


def drawn_order(panel: Panel) -> list[str]:
    """The ways, the present one last, which lies above the others."""
    return [way for way in reversed(WAYS) if way in panel.lines and way != PRESENT] + [
        way for way in panel.lines if way == PRESENT
    ]


def _ahead(rows: tuple[Row, ...]) -> tuple[Point, ...]:
    found, before = [], ""
    for place, row in enumerate(rows):
        values = [_log(value) for value in (row.predicted, row.low, row.high, row.measured)]
        predicted, low, high, measured = values
        starts = row.relative_to != before
        found.append(Point(place, predicted, low, high, measured, starts, bool(row.relative_to)))
        before = row.relative_to
    return tuple(found)


def _back(rows: tuple[Row, ...]) -> tuple[Point, ...]:
    found, before = [], None
    for place, row in enumerate(rows):
        reason = row.gradient_relative_to
        predicted, measured = _log(row.predicted_gradient), _log(row.measured_gradient)
        starts = before is not None and reason != before
        found.append(Point(place, predicted, None, None, measured, starts, bool(reason)))
        before = reason
    return tuple(found)


def _log(value: float | None) -> float | None:
    if value is None or not value > 0 or not math.isfinite(value):
        return None
    return min(max(math.log10(value), _LEAST), _LARGEST)


def _panel(title: str, lines: dict[str, tuple[Point, ...]]) -> Panel:
    points = [point for line in lines.values() for point in line]
    values = [v for p in points for v in (p.predicted, p.low, p.high, p.measured) if v is not None]
    low, high = min(values, default=-1.0), max(values, default=0.0)
    edge = max(0.08, (high - low) * 0.05)
    missing = max(0.0, 1.0 - (high - low) - 2 * edge) / 2
    return Panel(title, lines, low - edge - missing, high + edge + missing)
