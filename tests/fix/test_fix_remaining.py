"""What a report says of the findings that were not repaired."""

from __future__ import annotations

from dataclasses import replace

from marked import finding

from initlint.fix.remaining import with_reasons
from initlint.records import Finding, Report, Site


def at(path: str, line: int, column: int = 18) -> Finding:
    return finding(Site(path, line, column, line, column + 15), "a.weight")


def told(found: Finding, *refused: tuple[Finding, str]) -> str:
    (after,) = with_reasons(Report(findings=(found,)), refused).findings
    assert (after.fix is None) == bool(after.message)
    return after.message


def test_models_of_two_files_that_share_a_name_keep_their_own_reasons() -> None:
    first, second = at("a.py", 7), at("b.py", 7)
    refused = (first, "it is frozen"), (second, "it is lazy")
    assert told(first, *refused) == " (not fixed: it is frozen)"
    assert told(second, *refused) == " (not fixed: it is lazy)"
    assert told(second, refused[0]) == ""


def test_a_finding_that_a_repair_has_moved_keeps_its_reason() -> None:
    assert told(at("a.py", 9), (at("a.py", 7), "it is frozen")) == " (not fixed: it is frozen)"


def test_a_finding_without_a_site_has_its_reason() -> None:
    found = replace(at("a.py", 7), site=None)
    assert told(found, (found, "it is frozen")) == " (not fixed: it is frozen)"
