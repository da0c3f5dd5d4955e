"""Reports as text: one module for each format, each with one function `render`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from initlint.records import FORMATS, Report, Rule

__all__ = ["FORMATS", "render"]


def render(
    report: Report,
    form: str,
    *,
    colour: bool = False,
    root: Path | None = None,
    rules: Collection[Rule] = (),
    codes: Collection[str] = (),
) -> str:
    """The report in one of `FORMATS`; only what is needed for that one is imported.

    `root` is the folder to which the formats for code hosts take paths, `codes` are those of
    the `rules` that ran, which SARIF lists.
    """
    match form:
        case "full":
            from initlint.output import text

            return text.render(report, colour=colour)
        case "concise":
            from initlint.output import concise

            return concise.render(report, colour=colour)
        case "json":
            from initlint.output import json

            return json.render(report)
        case "github":
            from initlint.output import github

            return github.render(report, root)
        case "gitlab":
            from initlint.output import gitlab

            return gitlab.render(report, root)
        case "sarif":
            from initlint.output import sarif

            return sarif.render(report, rules, root, codes)
    raise ValueError(form)
