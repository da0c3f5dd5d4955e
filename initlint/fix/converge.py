"""Findings to files that are proved repaired: rewrite, build again, leave out what did not help."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from initlint.fix.notebook import rewrite_file
from initlint.records import Finding, Initializer, InitlintError, Layer, Preferences, Report

Signatures = Mapping[str, Mapping[str, tuple[int, ...]]]
Rebuild = Callable[[Mapping[str, bytes]], tuple[Report, Signatures]]
Refusals = list[tuple[Finding, str]]
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Before:
    """The state before the fix: the report, every model's state dict, and the preferences."""

    report: Report
    signatures: Signatures
    preferences: Preferences = field(default_factory=Preferences)


class Outcome(NamedTuple):
    """Files with their old and new bytes, the findings repaired, those refused with the reason,
    and the report on the rewritten files."""

    files: tuple[tuple[str, bytes, bytes], ...]
    fixed: tuple[Finding, ...]
    refused: tuple[tuple[Finding, str], ...]
    report: Report


@dataclass
class _Round:
    """One attempt: the texts that the wanted findings give."""

    texts: dict[str, bytes] = field(default_factory=dict)
    fixed: list[Finding] = field(default_factory=list)


def under_one_path(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; fixes in one file with several paths (links) all get the same path."""
    names: dict[str, str] = {}
    named = []
    for finding in findings:
        if finding.fix is not None:
            site = finding.fix.site
            path = names.setdefault(os.path.realpath(site.path), site.path)
            finding = replace(finding, fix=replace(finding.fix, site=replace(site, path=path)))
        named.append(finding)
    return named


def converge(
    wanted: Sequence[Finding], sources: Mapping[str, bytes], rebuild: Rebuild, before: Before
) -> Outcome:
    """Rewrite the files of `wanted` until all remaining fixes pass the check.

    `rebuild` builds and judges the rewritten models. If a finding is still there, or its fix causes
    another one, the fix is refused and left out. If the models cannot be built, or have another
    state dict, all fixes of the file are refused.
    """
    refused: Refusals = []
    pending = list(wanted)
    for _ in range(_ROUNDS):
        attempt = _rewritten(pending, sources, refused, before.preferences)
        if not attempt.texts:
            break
        blamed, report = _tested(attempt, rebuild, before)
        if not blamed:
            files = tuple((path, sources[path], text) for path, text in attempt.texts.items())
            return Outcome(files, tuple(attempt.fixed), tuple(refused), report)
        refused += blamed
        pending = [f for f in attempt.fixed if f not in [finding for finding, _ in blamed]]
    return Outcome((), (), tuple(refused), before.report)


def _rewritten(
    pending: Sequence[Finding],
    sources: Mapping[str, bytes],
    refused: Refusals,
    preferences: Preferences,
) -> _Round:
    by_path: dict[str, list[Finding]] = {}
    for finding in pending:
        if finding.fix is not None:
            by_path.setdefault(finding.fix.site.path, []).append(finding)
    attempt = _Round()
    for path, group in by_path.items():
        result = rewrite_file(sources[path], path, group, preferences)
        refused += result.refused
        attempt.fixed += result.fixed
        if result.source != sources[path]:
            attempt.texts[path] = result.source
    return attempt


def _tested(attempt: _Round, rebuild: Rebuild, before: Before) -> tuple[Refusals, Report]:
    """The findings whose fixes did not help, with the reason, and the report after the fixes."""
    try:
        report, signatures = rebuild(attempt.texts)
    except InitlintError as error:
        return [(finding, str(error)) for finding in attempt.fixed], before.report
    names = {*signatures, *before.signatures}
    changed = {name for name in names if signatures.get(name) != before.signatures.get(name)}
    if changed:
        reason = "the rewritten model would have another state dict or could not be built"
        return [(finding, reason) for finding in _concerned(attempt, changed)], before.report
    left = {weight for finding in report.findings for weight in _weights(finding)}
    known = {weight for finding in before.report.findings for weight in _weights(finding)}
    # Another rule may go on to report a weight that it reported before.
    remain = _reported(report)
    new = {weight for _, weight in remain - _reported(before.report)}
    still = [
        f for f in attempt.fixed if any((f.code, w) in remain or w in new for w in _weights(f))
    ]
    if still:
        return [(f, _still_reported(f)) for f in still], report
    if left - known:
        names = {weight[-1] for weight in left - known}
        reason = f"the rewrite would spoil {', '.join(sorted(names))}"
        spoilt = _concerned(attempt, {model for _, model, _ in left - known})
        return [(finding, reason) for finding in spoilt], report
    lost = _overridden(attempt, before.report, report)
    if lost:
        weights = ", ".join(sorted({layer.parameter for layer in lost}))
        why = f"the new call would override the one that fills {weights}"
        lines = {layer.site for layer in lost}
        blamed = [found for found in attempt.fixed if found.site in lines]
        blamed = blamed or _concerned(attempt, {layer.model for layer in lost})
        return [(finding, why) for finding in blamed], report
    return [], report


def _overridden(attempt: _Round, before: Report, after: Report) -> list[Layer]:
    """The layers that lose a call which someone wrote and no finding reports."""
    changed = {found.current.site for found in attempt.fixed if found.current}
    changed |= {found.fix.site for found in attempt.fixed if found.fix}
    # A class may be filled in several ways: its models share a name.
    calls: dict[tuple[str, str], list[Initializer | None]] = {}
    for layer in after.layers:
        calls.setdefault((layer.model, layer.parameter), []).append(layer.current)

    def keeps(layer: Layer, was: Initializer) -> bool:
        now = calls.get((layer.model, layer.parameter), [was])
        # A measured std is that of one draw.
        is_draw = was.name == "measured"
        return any(new and new.name == was.name and (is_draw or new.std == was.std) for new in now)

    return [
        layer
        for layer in before.layers
        if (was := layer.current) and not was.default and was.site not in changed
        if not keeps(layer, was)
    ]


def _still_reported(finding: Finding) -> str:
    """Why a new call did not help: the present one may run later."""
    why = finding.fix.uncorrected if finding.fix else ""
    return why or "the layer would still be reported after the rewrite"


def _reported(report: Report) -> set[tuple[str, tuple[str, str, str]]]:
    """The weights of all findings, each with the rule that reports it."""
    return {(found.code, weight) for found in report.findings for weight in _weights(found)}


def _weights(finding: Finding) -> set[tuple[str, str, str]]:
    """The weights of a finding, with their file: models of two files may share a name."""
    path = finding.site.path if finding.site else ""
    return {(path, finding.model, parameter) for parameter in finding.parameters}


def _concerned(attempt: _Round, models: Collection[str]) -> list[Finding]:
    """The findings that may have harmed some models: in them or in their files, else all."""
    files = {model.rpartition(":")[0] for model in models}
    found = [
        finding
        for finding in attempt.fixed
        if finding.model in models or (finding.fix and finding.fix.site.path in files)
    ]
    return found or attempt.fixed
