"""The profile as a page: one file with picture, sortable table, and the findings with patches."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from initlint.output.phrases import gap
from initlint.profile.chart import chart
from initlint.profile.findings import findings
from initlint.profile.signals import PRESENT, WAYS, Row, Signals
from initlint.profile.svg import svg
from initlint.profile.table import (
    labels,
    number,
    remarks,
    shown_gradient,
    shown_prediction,
)
from initlint.records import Report
from initlint.safe.shown import shown

_FOLDER = Path(__file__).parent


def page(models: Sequence[Signals], report: Report) -> str:
    """The whole page. Its script sorts the tables; without it everything is there as well."""
    names = [signals.model for signals in models]
    title = f"Signal through {', '.join(names) or 'no model'}"
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Names and source of others are shown: no other script may run, and nothing is loaded.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{_text(title)}</title>\n<style>\n{_file('page.css')}{_PAGE}</style>\n</head>\n",
        '<body class="initlint-profile">\n<main>\n',
        f"<h1>{_text(title)}</h1>\n",
        f'<p class="faint">{_LEGEND}</p>\n',
        *(part for signals in models for part in _model(signals, True)),
        *findings(report),
        *_gaps(report),
        f"</main>\n<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def excerpt(models: Sequence[Signals], report: Report) -> str:
    """Pictures and tables as a part of another page, for notebooks."""
    parts = [part for signals in models for part in _model(signals, False)]
    style = f"<style>\n{_file('page.css')}</style>"
    return f'<div class="initlint-profile">{style}{"".join(parts)}{"".join(_gaps(report))}</div>'


# Of the page alone: a notebook has its own.
_PAGE = """body { margin: 0; }
main { max-width: 1120px; margin: 0 auto; padding: 1.6rem 1rem 3rem; }
"""
_LEGEND = (
    "Root mean square of each layer's result before its activation, and of the loss' gradient "
    "there if that at the model's result is 1. Predicted: the typical value over draws of the "
    "weights; 90 % of them lie in the range. Measured: one run in training mode, one draw. "
    "Recommended: with the findings mended, as --fix and apply_ leave it."
)


def _file(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _text(text: str) -> str:
    return escape(shown(text))


def _model(signals: Signals, is_sortable: bool) -> Iterator[str]:
    yield f"<section>\n<h2>{_text(signals.model)}</h2>\n"
    yield from (f"<p>{_text(line)}</p>\n" for line in remarks(signals))
    if signals.rows.get(PRESENT):
        yield f'<div class="scroll" tabindex="0">{svg(chart(signals))}</div>\n'
        for groups in _columns(signals):
            table = "".join(_table(signals, groups, is_sortable))
            yield f'<div class="scroll" tabindex="0">{table}</div>\n'
    yield "</section>\n"


def _gaps(report: Report) -> Iterator[str]:
    if report.unanalysed:
        yield "<h2>Not analysed</h2>\n<ul>\n"
        yield from (f"<li>{_text(gap(one))}</li>\n" for one in report.unanalysed)
        yield "</ul>\n"


class _Column(NamedTuple):
    """One column of numbers: by which number it is sorted, and how that is written."""

    heading: str
    way: str
    value: Callable[[Row], float | None]
    text: Callable[[Row], str]


def _columns(signals: Signals) -> Iterator[dict[str, list[_Column]]]:
    """The columns of each table by their group; what was not measured has none.

    Signal and gradient are two tables, since one would be wider than most screens.
    """
    is_measured = any(r.measured is not None for rows in signals.rows.values() for r in rows)
    ways = [way for way in WAYS if way in signals.rows]
    for found in (
        {f"signal, {way}": _ahead(way) for way in ways},
        {f"gradient, {way}": _back(way) for way in ways},
    ):
        yield {
            group: [column for column in columns if is_measured or column.heading != "measured"]
            for group, columns in found.items()
        }


def _ahead(way: str) -> list[_Column]:
    predicted = _Column("predicted", way, lambda r: r.predicted, shown_prediction)
    bars = _Column("90 %", way, lambda r: r.low, lambda r: f"{number(r.low)}–{number(r.high)}")
    measured = _Column("measured", way, lambda r: r.measured, lambda r: number(r.measured))
    return [predicted, *([bars] if way == PRESENT else []), measured]


def _back(way: str) -> list[_Column]:
    return [
        _Column("predicted", way, lambda r: r.predicted_gradient, shown_gradient),
        _Column(
            "measured", way, lambda r: r.measured_gradient, lambda r: number(r.measured_gradient)
        ),
    ]


def _table(
    signals: Signals, groups: Mapping[str, Sequence[_Column]], is_sortable: bool
) -> Iterator[str]:
    yield '<table class="sortable">\n<thead>\n' if is_sortable else "<table>\n<thead>\n"
    yield '<tr><th class="layer"></th><th></th>'
    for group, columns in groups.items():
        yield f'<th class="group" colspan="{len(columns)}" scope="colgroup">{group}</th>'
    yield "</tr>\n<tr>"
    heads = [("layer", "layer"), ("type", "type")]
    for columns in groups.values():
        heads += [(c.heading, "" if turn else "begins") for turn, c in enumerate(columns)]
    for place, (head, kind) in enumerate(heads):
        name = f'<button type="button">{head}</button>' if is_sortable else head
        yield f'<th class="{kind}" scope="col" data-column="{place}">{name}</th>'
    yield "</tr>\n</thead>\n<tbody>\n"
    present = signals.rows[PRESENT]
    for place, label in enumerate(map(_text, labels(present))):
        yield f'<tr><td class="layer" data-value="{place}" title="{label}">{label}</td>'
        kind = _text(present[place].type)
        yield f'<td class="type" data-value="{kind}">{kind}</td>'
        for columns in groups.values():
            for turn, column in enumerate(columns):
                yield _cell(column, signals.rows[column.way][place], "" if turn else "begins")
        yield "</tr>\n"
    yield "</tbody>\n</table>"


def _cell(column: _Column, row: Row, kind: str) -> str:
    value = column.value(row)
    key = "" if value is None else f' data-value="{value!r}"'
    return f'<td class="{kind}"{key}>{column.text(row)}</td>'
