"""The findings of a check, whose fixes are those that --fix would carry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from initlint.fix.parsed import parse
from initlint.fix.rewrite import refusals
from initlint.fix.text import RefusedError
from initlint.project.sourcefiles import Texts
from initlint.records import Finding, Preferences


def planned(
    findings: Sequence[Finding], texts: Texts, preferences: Preferences
) -> tuple[Finding, ...]:
    """The findings; one whose fix would be refused has none, and says why.

    Whether a fix helps is known only when the models are judged again; that is left to --fix.
    """
    reasons: dict[int, str] = {}
    files: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fix is not None and finding.fix.applicability in ("safe", "unsafe"):
            files.setdefault(finding.fix.site.path, []).append(finding)
    for path, group in files.items():
        safe = [f for f in group if f.fix is not None and f.fix.applicability == "safe"]
        every = _refused(path, group, texts, preferences)
        alone = every if len(safe) == len(group) else _refused(path, safe, texts, preferences)
        reasons |= {key: why for key, why in every.items() if key not in set(map(id, safe))}
        reasons |= alone
    return tuple(_told(finding, reasons.get(id(finding), "")) for finding in findings)


def _refused(
    path: str, group: Sequence[Finding], texts: Texts, preferences: Preferences
) -> dict[int, str]:
    """Why fixes of one file would be refused, by the findings' identities."""
    try:
        parsed = parse(texts.python(path))
        return {id(finding): why for finding, why in refusals(parsed, path, group, preferences)}
    except RefusedError as error:
        return dict.fromkeys(map(id, group), str(error))
    except RecursionError:
        return dict.fromkeys(map(id, group), "the file is nested too deep")


def _told(finding: Finding, reason: str) -> Finding:
    if not reason:
        return finding
    return replace(finding, unfixed=reason, fix=None)
