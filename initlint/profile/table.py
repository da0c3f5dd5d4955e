"""The profile as text: a table for each model, and what its numbers are relative to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from initlint.output.paint import console_of
from initlint.output.phrases import gap
from initlint.profile.signals import DEFAULT, PRESENT, RECOMMENDED, Row, Signals
from initlint.records import Report
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from rich.table import Table

# Between two columns.
_BETWEEN = 2


def render(
    models: Sequence[Signals], report: Report, *, colour: bool = False, width: int = 160
) -> str:
    """One table for each model, and below it what was not measured and what is not known."""

    console = console_of(width, colour)
    with console.capture() as capture:
        for signals in models:
            console.print(_table(signals, width))
            for line in remarks(signals):
                console.print(shown(line), markup=False, soft_wrap=True)
            console.print()
        for unanalysed in report.unanalysed:
            console.print(f"not analysed: {gap(unanalysed)}", markup=False, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def remarks(signals: Signals) -> Iterator[str]:
    """What the numbers of one model mean, where they are relative, and what is missing."""
    if _courses(signals):
        yield f"First layer to last, {_courses(signals)}."
    rows = signals.rows.get(PRESENT, ())
    reasons = dict.fromkeys(row.relative_to for row in rows if row.relative_to)
    for reason in reasons:
        first = next(row for row in rows if row.relative_to == reason)
        yield f"~ from {name(first)} on, the prediction is relative to there: {reason}."
    back = dict.fromkeys(r.gradient_relative_to for r in rows if r.gradient_relative_to)
    for reason in back:
        last = [row for row in rows if row.gradient_relative_to == reason][-1]
        yield f"~ up to {name(last)}, the gradient is relative to there: {reason}."
    yield f"{signals.assumed[:1].upper()}{signals.assumed[1:]}."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in signals.notes)


def _courses(signals: Signals) -> str:
    """By what factor the signal changes through the model, and the gradient back."""
    found = []
    for way, rows in signals.rows.items():
        known = len(rows) > 1 and not any(r.relative_to or r.gradient_relative_to for r in rows)
        if known and rows[0].predicted and rows[-1].predicted_gradient:
            ahead = rows[-1].predicted / rows[0].predicted
            back = rows[0].predicted_gradient / rows[-1].predicted_gradient
            found.append(f"{way}: signal ×{number(ahead)}, gradient back ×{number(back)}")
    return "; ".join(found)


def name(row: Row) -> str:
    """The layer's name; of a bare parameter, the parameter's."""
    return row.layer or row.parameter


def number(value: float | None) -> str:
    """Three digits; "-" for what was not measured."""
    return "-" if value is None else f"{value:.3g}"


def labels(rows: Sequence[Row]) -> list[str]:
    """The names of the layers; those that are used several times are numbered."""
    counts: dict[str, int] = {}
    found = []
    for row in rows:
        counts[row.parameter] = turn = counts.get(row.parameter, 0) + 1
        found.append(f"{name(row)} ({turn})" if turn > 1 else name(row))
    return found


def shown_prediction(row: Row) -> str:
    """The predicted signal, marked where it is relative."""
    return f"{'~' if row.relative_to else ''}{number(row.predicted)}"


def shown_gradient(row: Row) -> str:
    """The predicted gradient, marked where it is relative."""
    return f"{'~' if row.gradient_relative_to else ''}{number(row.predicted_gradient)}"


class _Column(NamedTuple):
    """A column; where the table is too wide, those of the highest rank are left out first."""

    heading: str
    way: str
    cell: Callable[[Row], str]
    rank: int = 0


def _range(row: Row) -> str:
    return f"{number(row.low)}–{number(row.high)}"


def _columns(signals: Signals) -> list[_Column]:
    """Those for which there is something to show."""
    found = [
        _Column("signal\npresent", PRESENT, shown_prediction),
        _Column("\n90 %", PRESENT, _range, 6),
        _Column("\nmeasured", PRESENT, lambda row: number(row.measured), 1),
        _Column("\nrecommended", RECOMMENDED, shown_prediction),
        _Column("\nmeasured", RECOMMENDED, lambda row: number(row.measured), 5),
        _Column("\ndefault", DEFAULT, shown_prediction, 3),
        _Column("\nmeasured", DEFAULT, lambda row: number(row.measured), 8),
        _Column("gradient\npresent", PRESENT, shown_gradient),
        _Column("\nmeasured", PRESENT, lambda row: number(row.measured_gradient), 2),
        _Column("\nrecommended", RECOMMENDED, shown_gradient),
        _Column("\nmeasured", RECOMMENDED, lambda r: number(r.measured_gradient), 7),
        _Column("\ndefault", DEFAULT, shown_gradient, 4),
        _Column("\nmeasured", DEFAULT, lambda row: number(row.measured_gradient), 9),
    ]
    is_measured = any(r.measured is not None for rows in signals.rows.values() for r in rows)
    return [
        column
        for column in found
        if column.way in signals.rows and (is_measured or not column.heading.endswith("measured"))
    ]


def _fitting(columns: list[_Column], signals: Signals, width: int) -> list[_Column]:
    """The columns for which there is room."""

    def width_of(column: _Column) -> int:
        cells = [column.cell(row) for row in signals.rows[column.way]]
        return max(map(len, [*column.heading.split("\n"), *cells])) + _BETWEEN

    widths = {column: width_of(column) for column in columns}
    left = list(columns)
    while sum(widths[column] for column in left) > width and any(c.rank for c in left):
        left.remove(max(left, key=lambda column: column.rank))
    return left


def _table(signals: Signals, width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(f"{shown(signals.model)}: rms of each layer's result, and of its gradient"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    rows = signals.rows.get(PRESENT, ())
    names = [shown(label) for label in labels(rows)]
    longest = max([len("layer"), *map(len, names)])
    room = min(longest, max(24, width // 4))
    columns = _fitting(_columns(signals), signals, width - room - _BETWEEN)
    table.add_column("\nlayer", overflow="fold", width=room)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for place, (label, row) in enumerate(zip(names, rows, strict=True)):
        cells = [column.cell(signals.rows[column.way][place]) for column in columns]
        style = "yellow" if row.relative_to else None
        table.add_row(*map(Text, [label, *cells]), style=style)
    return table
