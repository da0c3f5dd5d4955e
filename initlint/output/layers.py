"""The table of every layer, for --show-layers and apply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from initlint.output.paint import console_of
from initlint.output.phrases import ratio
from initlint.output.silence import silence, untold
from initlint.recommend import is_undecided, times
from initlint.records import Following, Initializer, Layer, Report
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from rich.table import Table

_NAME_WIDTH = 24
# From here on the table has a column for the reasons; else they are listed below it.
_WIDE = 130
_MOST_NAMES = 6


def render(report: Report, *, colour: bool = False, width: int = 160, reasons: bool = True) -> str:
    """One table for each model; where it is narrow, the less important columns are left out.

    With `reasons`, it says why the rules are silent about a layer.
    """

    console = console_of(width, colour)
    found = {(f.model, name) for f in report.findings for name in f.parameters or (f.parameter,)}
    told = untold(report)
    with console.capture() as capture:
        for model, layers in _by_model(report).items():
            wrong = {layer.parameter for layer in layers if (model, layer.parameter) in found}
            wide = reasons and width >= _WIDE
            why = {one.parameter: silence(one, told) for one in layers if reasons}
            why |= dict.fromkeys(wrong, "")
            console.print(_table(model, layers, wrong, width, why if wide else {}))
            for line in _reasons(layers, why) if reasons and not wide else ():
                console.print(line, markup=False)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _reasons(layers: Iterable[Layer], why: Mapping[str, str]) -> list[str]:
    """For each reason of a silence one line with the layers, and an empty line after the last."""
    by_reason: dict[str, list[str]] = {}
    for layer in layers:
        if why[layer.parameter]:
            by_reason.setdefault(why[layer.parameter], []).append(shown(_name(layer)))
    lines = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        lines.append(f"silent, because {reason}: {', '.join(names[:_MOST_NAMES])}{more}")
    return [*lines, ""] if lines else []


def _by_model(report: Report) -> Mapping[str, list[Layer]]:
    models: dict[str, list[Layer]] = {}
    for layer in report.layers:
        models.setdefault(layer.model, []).append(layer)
    return models


def _table(
    model: str, layers: Sequence[Layer], wrong: set[str], width: int, reasons: Mapping[str, str]
) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [column for column in _COLUMNS if column.from_width <= width < column.below]
    rows = [[shown(column.cell(layer)) for column in columns] for layer in layers]
    for layer, row in zip(layers, rows, strict=True) if reasons else ():
        row.append(reasons[layer.parameter])
    longest = max(len(columns[0].heading), *(len(row[0]) for row in rows))
    table = Table(
        title=Text(shown(model)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        # By default rich gives long names a column of a few letters.
        room = min(longest, max(_NAME_WIDTH, width // 4)) if column is _COLUMNS[0] else None
        table.add_column(
            column.heading,
            overflow="fold",
            width=room,
            min_width=len(column.heading),
            justify="right" if column.is_number else "left",
            # Not worth reading in pieces; rich narrows the other columns.
            no_wrap=column.is_number or column.is_whole,
        )
    if reasons:
        table.add_column("silent because", overflow="fold")
    for layer, row in zip(layers, rows, strict=True):
        style = "yellow" if layer.parameter in wrong else None
        table.add_row(*(Text(cell) for cell in row), style=style)
    return table


def _name(layer: Layer) -> str:
    return layer.parameter.removesuffix(".weight")


def _shape(layer: Layer) -> str:
    return "?" if layer.nominal else "×".join(map(str, layer.shape))


def _activation(layer: Layer) -> str:
    return f"{layer.following.activation}{_arguments(layer.following)}"


def _following(layer: Layer) -> str:
    following = layer.following
    via = f" via {', '.join(following.via)}" if following.via else ""
    return f"{_activation(layer)}{via}"


def _arguments(following: Following) -> str:
    shown = ", ".join(_argument(value) for value in following.args.values())
    return f"({shown})" if shown else ""


def _argument(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_argument(entry) for entry in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _current(layer: Layer) -> str:
    current = layer.current
    return f"{current.name} (default)" if current and current.default else _written(layer)


def _written(layer: Layer) -> str:
    if layer.current is None:
        return "never"
    return "default" if layer.current.default else layer.current.name


def _recommended(layer: Layer) -> str:
    return layer.recommended.name if layer.recommended else "-"


def _std(initializer: Initializer | None, layer: Layer) -> str:
    if initializer is None:
        return "-"
    return "?" if initializer.std is None or layer.nominal else f"{initializer.std:.3g}"


def _ratio(layer: Layer) -> str:
    factor = None if is_undecided(layer) else ratio(layer.current, layer.recommended)
    return "-" if factor is None else times(factor)


class _Column(NamedTuple):
    """A column, and how wide the table must be, and may be, for it to be shown."""

    heading: str
    cell: Callable[[Layer], str]
    from_width: int = 0
    below: int = 1_000_000
    is_number: bool = False
    is_whole: bool = False


_COLUMNS = (
    _Column("layer", _name),
    _Column("type", lambda layer: layer.type, from_width=100),
    _Column("shape", _shape, from_width=120),
    _Column("following", _activation, below=100),
    _Column("following", _following, from_width=100),
    _Column("current", _written, from_width=70, below=100),
    _Column("current", _current, from_width=100),
    _Column("std", lambda layer: _std(layer.current, layer), from_width=100, is_number=True),
    _Column("recommended", _recommended, is_whole=True),
    _Column("std", lambda layer: _std(layer.recommended, layer), from_width=100, is_number=True),
    _Column("ratio", _ratio, is_number=True),
)
