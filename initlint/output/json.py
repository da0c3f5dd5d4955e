"""The format `json`: one object with the documented keys; unknown values are null."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from initlint import __version__
from initlint.output.edits import Edit, edits
from initlint.output.lines import as_json
from initlint.output.phrases import call, message
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import (
    Draw,
    Fan,
    Finding,
    Following,
    Gain,
    Initializer,
    Layer,
    Parameter,
    Report,
    Site,
)
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from initlint.fix.proposals import Proposals


def render(report: Report, proposals: Proposals | None = None) -> str:
    """The whole report; `layers` is complete whether or not there are findings."""
    texts = texts_of(report)
    nominal = {(layer.model, layer.parameter) for layer in report.layers if layer.nominal}
    content = {
        "version": __version__,
        "findings": [
            _finding(finding, texts, (finding.model, finding.parameter) not in nominal, proposals)
            for finding in report.findings
        ],
        "layers": [_layer(layer, texts) for layer in report.layers],
        "parameters": [_parameter(parameter, texts) for parameter in report.parameters],
        "unanalysed": [
            {"target": gap.target, "reason": shown(gap.reason)} for gap in report.unanalysed
        ],
    }
    return as_json(content)


def _finding(
    finding: Finding, texts: Texts, exact: bool, proposals: Proposals | None
) -> dict[str, Any]:
    start = _start(finding.site, texts)
    site = texts.in_cell(finding.site)[1] if finding.site else None
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "message": shown(message(finding, texts)),
        **start,
        "end_line": site.end_line if site else None,
        "end_column": site.end_column if site else None,
        "model": finding.model,
        "layer": finding.layer,
        "parameter": finding.parameter,
        "following": _following(finding.following),
        "current": _current(finding.current, texts, exact),
        "recommended": _recommended(finding.recommended, exact),
        "fix": _fix(finding, texts, proposals),
        "unfixed": shown(finding.unfixed) or None,
    }


def _layer(layer: Layer, texts: Texts) -> dict[str, Any]:
    exact = not layer.nominal
    return {
        "model": layer.model,
        "layer": layer.layer,
        "parameter": layer.parameter,
        "type": layer.type,
        "shape": list(layer.shape) if exact else None,
        "fan_in": layer.fan_in if exact else None,
        "fan_out": layer.fan_out if exact else None,
        "following": _following(layer.following),
        "current": _current(layer.current, texts, exact),
        "recommended": _recommended(layer.recommended, exact),
        **_start(layer.site, texts),
    }


def _parameter(parameter: Parameter, texts: Texts) -> dict[str, Any]:
    sizes = parameter.shape
    return {
        "model": parameter.model,
        "name": parameter.name,
        "kind": parameter.kind,
        "shape": None if sizes is None or None in sizes else list(sizes),
        "trainable": parameter.trainable,
        "used": parameter.used,
        "tied_to": parameter.tied_to,
        **_line(parameter.site, texts),
        "history": [_draw(draw, texts) for draw in parameter.history],
    }


def _draw(draw: Draw, texts: Texts) -> dict[str, Any]:
    return {
        "initializer": draw.name,
        "args": plain(draw.args),
        "std": _std(draw.std),
        "mean": _std(draw.mean),
        "by": draw.by,
        **_line(draw.site, texts),
        "certain": draw.certain,
    }


def _line(site: Site | None, texts: Texts) -> dict[str, Any]:
    """Where something stands, without the column."""
    start = _start(site, texts)
    del start["column"]
    return start


def _start(site: Site | None, texts: Texts) -> dict[str, Any]:
    if site is None:
        return {"path": None, "line": None, "column": None}
    cell, site = texts.in_cell(site)
    start = {"path": site.path, "line": site.line, "column": site.column}
    return {**start, "cell": cell} if cell else start


def _following(following: Following) -> dict[str, Any]:
    args, via = plain(following.args), list(following.via)
    return {"activation": following.activation, "args": args, "via": via}


def _current(current: Initializer | None, texts: Texts, exact: bool) -> dict[str, Any] | None:
    if current is None:
        return None
    return {
        "initializer": current.name,
        "args": plain(current.args),
        "std": _std(current.std) if exact else None,
        "mean": _mean(current) if exact else None,
        "default": current.default,
        **_line(current.site, texts),
    }


# Initialisers whose arguments are worked out from the fans, and say nothing without them.
_SCALED = ("normal_", "uniform_", "trunc_normal_")


def _recommended(recommended: Initializer | None, exact: bool) -> dict[str, Any] | None:
    if recommended is None:
        return None
    scaled = recommended.name in _SCALED and not exact
    return {
        "initializer": recommended.name,
        "args": dict.fromkeys(recommended.args) if scaled else plain(recommended.args),
        "std": _std(recommended.std) if exact else None,
        "mean": _mean(recommended) if exact else None,
        "reason": recommended.reason,
    }


def _fix(finding: Finding, texts: Texts, proposals: Proposals | None) -> dict[str, Any] | None:
    fix = finding.fix
    if fix is None:
        return None
    found = edits(finding, proposals, texts)
    return {
        "applicability": fix.applicability,
        "kind": fix.kind,
        "call": call(finding, texts),
        "edits": None if found is None else [_edit(edit) for edit in found],
    }


def _edit(edit: Edit) -> dict[str, Any]:
    start, end = ({"line": line, "column": column} for line, column in (edit.start, edit.end))
    where = {"path": edit.path} | ({"cell": edit.cell} if edit.cell else {})
    return {**where, "start": start, "end": end, "text": edit.text}


def _std(std: float | None) -> float | None:
    return None if std is None or not math.isfinite(std) else float(std)


def _mean(initializer: Initializer) -> float | None:
    """The mean of the values, where it is known, as their std is."""
    return None if initializer.std is None else _std(initializer.mean)


def plain(value: Any) -> Any:
    """A value of an argument as JSON has it; what JSON cannot say is given as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Fan | Gain):
        value = value.value
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(entry) for entry in value]
    return str(value)
