"""The remaining findings after a fix, with reasons, and the files that could not be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import filterfalse
from typing import Any

from initlint.fix.converge import Outcome
from initlint.fix.files import write_atomically
from initlint.project.sourcefiles import texts_of
from initlint.records import Call, Finding, InitlintError, Layer, Parameter, Report, Test


def written(outcome: Outcome, before: Report) -> tuple[Outcome, dict[str, str]]:
    """Write all files that can be written; the outcome, and by path why the others could not be.

    The findings `before` of those others remain.
    """
    reasons: dict[str, str] = {}
    places = texts_of(before)
    for path, old, new in outcome.files:
        try:
            write_atomically(path, old, new, places.place(path))
        except InitlintError as error:
            reasons[path] = str(error).removeprefix(f"{path}: ")
    if not reasons:
        return outcome, reasons
    lost = [(f, reasons[f.fix.site.path]) for f in outcome.fixed if f.fix and _of(f) in reasons]
    found = [finding for finding, _ in lost]
    unchanged = {path: old for path, old, _ in outcome.files if path in reasons}
    return Outcome(
        tuple(file for file in outcome.files if file[0] not in reasons),
        tuple(finding for finding in outcome.fixed if finding not in found),
        (*outcome.refused, *lost),
        _left(before, outcome.report, unchanged, found),
    ), reasons


def _of(finding: Finding) -> str:
    """The file that a finding's fix changes."""
    return finding.fix.site.path if finding.fix else ""


def _left(
    before: Report,
    after: Report,
    unwritten: Mapping[str, bytes],
    lost: Sequence[Finding],
) -> Report:
    """The report `after` a repair, but `before` it for the files that stayed as they were."""

    def stays(entry: Finding | Layer | Parameter | Call | Test) -> bool:
        return entry in lost or (entry.site is not None and entry.site.path in unwritten)

    return Report(
        (*filterfalse(stays, after.layers), *filter(stays, before.layers)),
        (*filterfalse(stays, after.findings), *filter(stays, before.findings)),
        after.unanalysed,
        parameters=(*filterfalse(stays, after.parameters), *filter(stays, before.parameters)),
        calls=(*filterfalse(stays, after.calls), *filter(stays, before.calls)),
        tests=(*filterfalse(stays, after.tests), *filter(stays, before.tests)),
        known=after.known,
        texts=texts_of(after).changed(unwritten),
    )


def renamed(record: Any, path: str, name: str) -> Any:
    """A record with the name `name` for the file at `path`."""
    match record:
        case str():
            return record.replace(path, name)
        case tuple():
            return tuple(renamed(member, path, name) for member in record)
    if not is_dataclass(record) or isinstance(record, type):
        return record
    values = {f.name: renamed(getattr(record, f.name), path, name) for f in fields(record)}
    return replace(record, **values)


def with_reasons(report: Report, refused: Sequence[tuple[Finding, str]]) -> Report:
    """The report, whose findings say why they were not repaired and no longer promise a fix."""
    reasons = {_key(finding): reason for finding, reason in refused}

    def told(finding: Finding) -> Finding:
        reason = reasons.get(_key(finding))
        if reason is None:
            return finding
        return replace(finding, message=f"{finding.message} (not fixed: {reason})", fix=None)

    return replace(report, findings=tuple(map(told, report.findings)))


def _key(finding: Finding) -> tuple[str, ...]:
    """A key of a finding, with the file: models of two files may share a name.

    A fix moves lines, so only the file and the column of the site are in it.
    """
    path, column = (finding.site.path, finding.site.column) if finding.site else ("", 0)
    return finding.code, finding.model, finding.parameter, path, str(column)
