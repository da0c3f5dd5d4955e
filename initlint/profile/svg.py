"""The picture as SVG for a page: its colours are the page's variables, every point has a title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from initlint.profile.chart import Chart, Panel, Point, drawn_order
from initlint.profile.signals import DEFAULT, RECOMMENDED
from initlint.safe.shown import cut, shown

# Sizes in the picture's own units.
_WIDTH, _PANEL, _GAP = 960, 250, 44
_LEFT, _RIGHT, _TOP = 64, 14, 56
# Below a panel, for names that are slanted: in any case, and for each letter.
_NAMED, _ROOM, _SLANT = 42, 26, 4
_LONGEST = 22


def svg(chart: Chart) -> str:
    """The two panels, one above the other, as an SVG element."""
    is_named = 0 < len(chart.names) <= _NAMED
    longest = max(map(len, chart.names), default=0)
    below = _ROOM + _SLANT * min(longest, _LONGEST) if is_named else 36
    height = _TOP + 2 * _PANEL + _GAP + below
    parts = [
        f'<svg class="picture" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{_text(f"Signal through {chart.model}, predicted and measured")}">',
        *_legend(chart),
    ]
    for turn, panel in enumerate(chart.panels):
        top = _TOP + turn * (_PANEL + _GAP)
        parts += [*_axes(panel, top, len(chart.names)), *_lines(panel, top, chart.names)]
    parts += _names(chart.names, height - below) if is_named else _ends(chart, height - below)
    return "".join([*parts, "</svg>"])


def _text(text: str) -> str:
    return escape(shown(text))


def _x(place: int, count: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return _LEFT + room * (place + 0.5) / max(1, count)


def _y(value: float, panel: Panel, top: float) -> float:
    return top + _PANEL * (panel.high - value) / (panel.high - panel.low)


def _legend(chart: Chart) -> Iterator[str]:
    x = _LEFT
    for way, label in chart.legend.items():
        yield f'<g class="{way}"><path class="line" d="M{x} 14h26"/>{_mark(way, x + 13, 14)}</g>'
        yield f'<text x="{x + 33}" y="18">{label}</text>'
        x += 56 + 7 * len(label)
    yield (
        f'<text class="faint" x="{_WIDTH - _RIGHT}" y="18" text-anchor="end">'
        "line: predicted, with 90 % of all draws; marks: measured</text>"
    )


def _axes(panel: Panel, top: float, count: int) -> Iterator[str]:
    right = _WIDTH - _RIGHT
    yield f'<text class="title" x="{_LEFT}" y="{top - 6:.0f}">{panel.title}</text>'
    for value, label in panel.marks():
        y = _y(value, panel, top)
        kind = "one" if abs(value) < 1e-9 else "grid"
        yield f'<path class="{kind}" d="M{_LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    yield f'<path class="axis" d="M{_LEFT} {top}V{top + _PANEL}H{right}"/>'


def _lines(panel: Panel, top: float, names: Sequence[str]) -> Iterator[str]:
    count = len(names)
    for way in drawn_order(panel):
        yield f'<g class="{way}">'
        for run in _runs(panel.lines[way]):
            yield from _band(run, panel, top, count)
            yield _path(run, panel, top, count)
        for point in panel.lines[way]:
            yield from _marks(way, point, panel, top, names)
        yield "</g>"


def _runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points that a line joins."""
    run: list[Point] = []
    for point in points:
        if run and (point.starts or point.predicted is None):
            yield run
            run = []
        if point.predicted is not None:
            run.append(point)
    if run:
        yield run


def _path(run: Sequence[Point], panel: Panel, top: float, count: int) -> str:
    places = [
        f"{_x(p.place, count):.1f} {_y(p.predicted, panel, top):.1f}"
        for p in run
        if p.predicted is not None
    ]
    kind = "line relative" if run[0].relative else "line"
    # A run of one point is a short dash.
    steps = places if len(places) > 1 else [places[0], places[0]]
    return f'<path class="{kind}" d="M{"L".join(steps)}"/>'


def _band(run: Sequence[Point], panel: Panel, top: float, count: int) -> Iterator[str]:
    highs = [(p.place, p.high) for p in run if p.high is not None]
    lows = [(p.place, p.low) for p in run if p.low is not None]
    edge = [f"{_x(k, count):.1f} {_y(v, panel, top):.1f}" for k, v in [*highs, *lows[::-1]]]
    if len(edge) > 2:
        yield f'<path class="band" d="M{"L".join(edge)}Z"/>'


def _marks(way: str, point: Point, panel: Panel, top: float, names: Sequence[str]) -> Iterator[str]:
    x = _x(point.place, len(names))
    said = [_text(cut(names[point.place])), way]
    if point.predicted is not None:
        said.append(f"predicted {10**point.predicted:.3g}")
    if point.measured is not None:
        said.append(f"measured {10**point.measured:.3g}")
    value = point.measured if point.measured is not None else point.predicted
    if value is None:
        return
    y = _y(value, panel, top)
    drawn = _mark(way, x, y) if point.measured is not None else ""
    title = f"<title>{': '.join(said[:1])}: {', '.join(said[1:])}</title>"
    # The circle that is not seen makes a mark easy to point at.
    yield f'<g>{title}<circle class="touch" cx="{x:.1f}" cy="{y:.1f}" r="7"/>{drawn}</g>'


def _mark(way: str, x: float, y: float) -> str:
    if way == RECOMMENDED:
        return f'<rect class="mark" x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"/>'
    if way == DEFAULT:
        return f'<path class="mark" d="M{x:.1f} {y - 4.4:.1f}l4.2 7.6h-8.4z"/>'
    return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.8"/>'


def _names(names: Sequence[str], top: float) -> Iterator[str]:
    for place, name in enumerate(names):
        x, y = _x(place, len(names)), top + 14
        label = _text(name if len(name) <= _LONGEST else f"…{name[-_LONGEST + 1 :]}")
        at = f'x="{x:.1f}" y="{y:.1f}" transform="rotate(-40 {x:.1f} {y:.1f})"'
        yield f'<text class="name" {at} text-anchor="end">{label}</text>'


def _ends(chart: Chart, top: float) -> Iterator[str]:
    if chart.names:
        y = top + 20
        count = f"{len(chart.names)} layers, in the order of the data"
        yield f'<text x="{_LEFT}" y="{y}">{_text(cut(chart.names[0], 40))}</text>'
        yield f'<text class="faint" x="{_WIDTH / 2}" y="{y}" text-anchor="middle">{count}</text>'
        last = _text(cut(chart.names[-1], 40))
        yield f'<text x="{_WIDTH - _RIGHT}" y="{y}" text-anchor="end">{last}</text>'
