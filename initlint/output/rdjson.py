"""The format `rdjson`: what reviewdog reads, with the fixes as suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from initlint.output.edits import Edit, Position, edits
from initlint.output.lines import as_json
from initlint.output.phrases import message
from initlint.output.project import given, home, page_of, shown_path, shown_site
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from initlint.fix.proposals import Proposals

_SEVERITIES = {"error": "ERROR", "warning": "WARNING"}


def render(report: Report, root: Path | None = None, proposals: Proposals | None = None) -> str:
    """One object with a diagnostic for each finding."""
    texts = texts_of(report)
    content = {
        "source": {"name": "initlint", **given(url=home())},
        "diagnostics": [_diagnostic(f, root, proposals, texts) for f in report.findings],
    }
    return as_json(content)


def _diagnostic(
    finding: Finding, root: Path | None, proposals: Proposals | None, texts: Texts
) -> dict[str, Any]:
    site = shown_site(finding)
    location: dict[str, Any] = {"path": shown_path(finding, root, texts) or finding.model}
    if site is not None:
        start, end = (site.line, site.column), (site.end_line, site.end_column)
        location["range"] = _range(site.path, start, end, texts)
    found: dict[str, Any] = {
        "message": shown(message(finding, texts)),
        "location": location,
        "severity": _SEVERITIES.get(finding.severity, "INFO"),
        "code": {"value": finding.code, **given(url=page_of(finding.code))},
    }
    suggestions = [
        _suggestion(e, texts) for e in edits(finding, proposals, texts) or () if not e.cell
    ]
    if suggestions:
        found["suggestions"] = suggestions
    return found


def _suggestion(edit: Edit, texts: Texts) -> dict[str, Any]:
    return {"range": _range(edit.path, edit.start, edit.end, texts), "text": edit.text}


def _range(path: str, start: Position, end: Position, texts: Texts) -> dict[str, Any]:
    return {
        "start": _position(path, start, texts),
        "end": _position(path, end, texts),
    }


def _position(path: str, place: Position, texts: Texts) -> dict[str, int]:
    """reviewdog counts columns in bytes of UTF-8."""
    line, column = place
    lines = texts.lines(path)
    before = lines[line - 1][: column - 1] if line <= len(lines) else ""
    return {"line": line, "column": len(before.encode("utf-8", "replace")) + 1}
