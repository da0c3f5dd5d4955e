"""The format `gitlab`: a code quality report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from initlint.output.lines import as_json
from initlint.output.phrases import message
from initlint.output.project import fingerprints, shown_path, shown_site
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report
from initlint.safe.shown import shown

_SEVERITIES = {"error": "major", "warning": "minor"}


def render(report: Report, root: Path | None = None) -> str:
    """A JSON array with one entry for each finding."""
    marks = fingerprints(report, root)
    texts = texts_of(report)
    entries = [_entry(f, mark, root, texts) for f, mark in zip(report.findings, marks, strict=True)]
    return as_json(entries)


def _entry(finding: Finding, fingerprint: str, root: Path | None, texts: Texts) -> dict[str, Any]:
    site = shown_site(finding)
    return {
        "description": shown(f"{finding.code} {finding.name}: {message(finding, texts)}"),
        "check_name": finding.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES.get(finding.severity, "info"),
        "location": {
            # GitLab takes no entry without a file.
            "path": shown_path(finding, root, texts) or finding.model,
            "lines": {"begin": site.line if site else 1},
        },
    }
