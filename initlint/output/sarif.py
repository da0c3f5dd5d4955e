"""The format `sarif`: SARIF 2.1.0, as GitHub's code scanning wants it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from initlint import __version__
from initlint.output.edits import edits
from initlint.output.lines import as_json
from initlint.output.phrases import call, message
from initlint.output.project import (
    fingerprints,
    given,
    home,
    page_of,
    path_in_project,
    shown_path,
    shown_site,
)
from initlint.project.sourcefiles import Texts, texts_of
from initlint.records import Finding, Report, Rule
from initlint.safe.shown import shown

if TYPE_CHECKING:
    from initlint.fix.proposals import Proposals

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning"}
_TEXT_LIMIT = 1024
_REGION = ("startLine", "startColumn", "endLine", "endColumn")


def render(
    report: Report,
    rules: Collection[Rule],
    root: Path | None = None,
    codes: Collection[str] = (),
    proposals: Proposals | None = None,
) -> str:
    """One run; `codes` are those of the `rules` that ran."""
    ran = {*codes, *(finding.code for finding in report.findings)}
    rules = sorted((rule for rule in rules if rule.code in ran), key=lambda rule: rule.code)
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report, rules, root, proposals)]}
    return as_json(log)


def _run(
    report: Report, rules: Sequence[Rule], root: Path | None, proposals: Proposals | None
) -> dict[str, Any]:
    marks, texts = fingerprints(report, root), texts_of(report)
    order = [rule.code for rule in rules]
    return {
        "tool": {
            "driver": {
                "name": "initlint",
                "version": __version__,
                "semanticVersion": __version__,
                **given(informationUri=home()),
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": [
            _result(
                finding,
                shown(message(finding, texts)),
                mark,
                order,
                _location(finding, root, texts),
            )
            | _fixes(finding, root, texts, proposals)
            for finding, mark in zip(report.findings, marks, strict=True)
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    severity = rule.severity if rule.severity in _LEVELS else "recommendation"
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": _cut(rule.summary)},
        "fullDescription": {"text": _cut(rule.sections.get("What", rule.summary))},
        "help": {"text": rule.text, "markdown": rule.text},
        **given(helpUri=page_of(rule.code)),
        "defaultConfiguration": {"level": _level(rule.severity)},
        "properties": {
            "precision": rule.confidence,
            "problem.severity": severity,
            "tags": ["pytorch", "weight-initialisation"],
        },
    }


def _result(
    finding: Finding, text: str, fingerprint: str, order: Sequence[str], location: dict[str, Any]
) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "ruleIndex": order.index(finding.code) if finding.code in order else -1,
        "level": _level(finding.severity),
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        "properties": {
            "confidence": finding.confidence,
            "fix": finding.fix.applicability if finding.fix else "none",
        },
    }


def _fixes(
    finding: Finding, root: Path | None, texts: Texts, proposals: Proposals | None
) -> dict[str, Any]:
    """The fix as replacements; nothing in a notebook, whose JSON a host shows."""
    found = edits(finding, proposals, texts)
    if not found or any(edit.cell for edit in found):
        return {}
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in found:
        region = dict(zip(_REGION, (*edit.start, *edit.end), strict=True))
        replacement = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.path, []).append(replacement)
    listed = [
        {
            "artifactLocation": {"uri": _uri(path_in_project(path, root, texts))},
            "replacements": replacements,
        }
        for path, replacements in changes.items()
    ]
    text = f"Write {call(finding, texts)}"
    return {"fixes": [{"description": {"text": shown(text)}, "artifactChanges": listed}]}


def _location(finding: Finding, root: Path | None, texts: Texts) -> dict[str, Any]:
    name = ".".join(part for part in (finding.model, finding.layer) if part)
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name}]}
    site, path = shown_site(finding), shown_path(finding, root, texts)
    if site is not None and path is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(path)},
            "region": {
                "startLine": site.line,
                "startColumn": site.column,
                "endLine": site.end_line,
                "endColumn": site.end_column,
            },
        }
    return location


def _invocation(report: Report) -> dict[str, Any]:
    """Whether the run succeeded, and the targets that were not analysed."""
    gaps = [shown(f"{gap.target}: {gap.reason}") for gap in report.unanalysed]
    return {
        "executionSuccessful": not gaps,
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": text}} for text in gaps
        ],
    }


def _uri(path: str) -> str:
    return Path(path).as_uri() if Path(path).is_absolute() else quote(os.fsencode(path))


def _level(severity: str) -> str:
    return _LEVELS.get(severity, "note")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1]}…"
