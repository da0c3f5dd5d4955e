"""The picture as a figure of matplotlib's, for files and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from initlint.extras import missing
from initlint.profile.chart import Chart, Panel, Point, chart, drawn_order
from initlint.profile.signals import DEFAULT, PRESENT, RECOMMENDED, Signals
from initlint.records import InitlintError
from initlint.safe.shown import cut, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {PRESENT: "#c8501e", RECOMMENDED: "#1769aa", DEFAULT: "#7b7f88"}
_MARKERS = {PRESENT: "o", RECOMMENDED: "s", DEFAULT: "^"}
_NAMED, _LONGEST = 42, 22


def need_matplotlib() -> None:
    """Raise InitlintError where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise missing("a picture", "matplotlib") from error


def drawn(models: Sequence[Signals]) -> Figure:
    """Two panels for each model, one below the other."""
    need_matplotlib()
    from matplotlib.figure import Figure

    charts = [chart(signals) for signals in models]
    if not charts:
        raise InitlintError("there is no model to draw a picture of")
    figure = Figure(figsize=(10, 6.4 * len(charts)), layout="constrained")
    axes = figure.subplots(2 * len(charts), 1, squeeze=False)
    for turn, one in enumerate(charts):
        for panel, space in zip(one.panels, axes[2 * turn : 2 * turn + 2, 0], strict=True):
            _draw(panel, space, len(one.names))
        top, bottom = axes[2 * turn, 0], axes[2 * turn + 1, 0]
        top.set_title(shown(one.model), loc="left", fontweight="bold", parse_math=False)
        _legend(top, one)
        top.set_xticks(range(len(one.names)), labels=[])
        _name(bottom, one)
    return figure


def _draw(panel: Panel, space: Any, count: int) -> None:
    for way in drawn_order(panel):
        points = panel.lines[way]
        colour, width = _COLOURS[way], 2.0 if way == PRESENT else 1.5
        for run in _runs(points):
            places = [p.place for p in run]
            style = "--" if run[0].relative else "-"
            space.plot(places, [p.predicted for p in run], style, color=colour, linewidth=width)
            band = [(p.place, p.low, p.high) for p in run if p.low is not None]
            if len(band) > 1:
                space.fill_between(*zip(*band, strict=True), color=colour, alpha=0.13, linewidth=0)
        seen = [(p.place, p.measured) for p in points if p.measured is not None]
        if seen:
            marks = {"marker": _MARKERS[way], "markeredgecolor": "white", "markersize": 6}
            space.plot(*zip(*seen, strict=True), color=colour, linestyle="", **marks)
    space.axhline(0, color="#646b78", linewidth=0.8, linestyle=":", zorder=0)
    marks_at = panel.marks()
    space.set_yticks([v for v, _ in marks_at], labels=[label for _, label in marks_at])
    space.set_ylim(panel.low, panel.high)
    space.set_xlim(-0.5, max(count - 0.5, 0.5))
    space.set_ylabel(panel.title)
    space.grid(axis="y", color="#e4e7ec", linewidth=0.8)
    space.spines[["top", "right"]].set_visible(False)


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Points that a line joins."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point.starts or point.predicted is None:
            runs.append([])
        if point.predicted is not None:
            runs[-1].append(point)
    return [run for run in runs if run]


def _legend(space: Any, one: Chart) -> None:
    for way, label in one.legend.items():
        space.plot([], [], color=_COLOURS[way], marker=_MARKERS[way], label=label)
    title = "lines: predicted (band: 90 % of draws), marks: measured"
    space.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(one.legend),
        frameon=False,
        fontsize="small",
        title=title,
        title_fontsize="small",
        borderaxespad=0.2,
    )


def _name(space: Any, one: Chart) -> None:
    """The names of the layers below the x axis; of many, only their number."""
    if len(one.names) > _NAMED:
        space.set_xlabel(f"{len(one.names)} layers, in the order of the data")
        return
    names = [n if len(n) <= _LONGEST else f"…{n[-_LONGEST + 1 :]}" for n in map(shown, one.names)]
    space.set_xticks(range(len(names)), labels=[cut(name) for name in names])
    for label in space.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor", parse_math=False)
