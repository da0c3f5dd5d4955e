"""Reports as text: one module for each format, each with one function `render`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from initlint.records import FORMATS, Preferences, Report, Rule

__all__ = ["FORMATS", "render"]

_WITH_EDITS = ("json", "sarif", "rdjson")


def render(
    report: Report,
    form: str,
    *,
    colour: bool = False,
    root: Path | None = None,
    rules: Collection[Rule] = (),
    codes: Collection[str] = (),
    preferences: Preferences | None = None,
) -> str:
    """The report in one of `FORMATS`; only what is needed for that one is imported.

    `root` is the folder to which the formats for code hosts take paths, `codes` are those of
    the `rules` that ran, which SARIF lists. With `preferences`, the formats that can hold them have
    the edits of each fix.
    """
    proposals = None
    fixable = any(finding.fix for finding in report.findings)
    if preferences is not None and fixable and form in _WITH_EDITS:
        from initlint.fix.proposals import Proposals

        proposals = Proposals.of(report, preferences)
    match form:
        case "full":
            from initlint.output import text

            return text.render(report, colour=colour)
        case "concise":
            from initlint.output import concise

            return concise.render(report, colour=colour)
        case "json":
            from initlint.output import json

            return json.render(report, proposals)
        case "github":
            from initlint.output import github

            return github.render(report, root)
        case "gitlab":
            from initlint.output import gitlab

            return gitlab.render(report, root)
        case "sarif":
            from initlint.output import sarif

            return sarif.render(report, rules, root, codes, proposals)
        case "junit":
            from initlint.output import junit

            return junit.render(report, root)
        case "rdjson":
            from initlint.output import rdjson

            return rdjson.render(report, root, proposals)
    raise ValueError(form)
