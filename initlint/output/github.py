"""The format `github`: workflow commands that GitHub shows as annotations."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from initlint.output.phrases import counted, message, place, ratio
from initlint.output.project import shown_path, shown_site
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report
from initlint.safe.shown import shown

_LEVELS = {"error": "error", "warning": "warning"}
_CONFIDENCE = ("high", "medium", "low")
_LIMIT = 10


def render(report: Report, root: Path | None = None) -> str:
    """One command for each finding, worst first because only some are shown, and their number."""
    if not report.findings:
        return ""
    texts = texts_of(report)
    commands = [_command(finding, root, texts) for finding in sorted(report.findings, key=_rank)]
    return "".join(f"{line}\n" for line in [*commands, _total(report)])


def _command(finding: Finding, root: Path | None, texts: Texts) -> str:
    properties = {"title": f"{finding.code} {finding.name}", **_position(finding, root, texts)}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    # The log shows the message alone, so the place is in it again.
    text = _data(shown(f"{place(finding, texts)}: {finding.code} {message(finding, texts)}"))
    return f"::{_level(finding)} {listed}::{text}"


def _position(finding: Finding, root: Path | None, texts: Texts) -> dict[str, object]:
    site = shown_site(finding)
    if site is None:
        return {}
    position: dict[str, object] = {
        "file": shown_path(finding, root, texts),
        "line": site.line,
        "endLine": site.end_line,
    }
    if site.line == site.end_line and site.end_column >= site.column:
        position |= {"col": site.column, "endColumn": site.end_column}
    return position


def _rank(finding: Finding) -> tuple[int, int, float]:
    """A sort key: errors first, then high confidence, then the ratio furthest from 1."""
    level = list(_LEVELS).index(finding.severity) if finding.severity in _LEVELS else len(_LEVELS)
    certain = _CONFIDENCE.index(finding.confidence) if finding.confidence in _CONFIDENCE else 0
    factor = ratio(finding.current, finding.recommended)
    return level, certain, -abs(math.log(factor)) if factor else 0.0


def _total(report: Report) -> str:
    counts = Counter(_level(finding) for finding in report.findings)
    kinds = [counted(counts[level], level) for level in ("error", "warning", "notice")]
    listed = ", ".join(kind for kind in kinds if not kind.startswith("0 "))
    hidden = any(count > _LIMIT for count in counts.values())
    note = f"; GitHub shows {_LIMIT} of each kind a step" if hidden else ""
    return f"::notice title=initlint::{counted(len(report.findings), 'finding')}: {listed}{note}"


def _level(finding: Finding) -> str:
    return _LEVELS.get(finding.severity, "notice")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # Line ends have escapes of GitHub's own; of what else steers a log none is needed.
    return shown(_data(text).replace(":", "%3A").replace(",", "%2C"))
