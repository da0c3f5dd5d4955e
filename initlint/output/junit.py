"""The format `junit`: XML of tests, which most CI servers show; each finding is a failure."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from initlint.output.phrases import message
from initlint.output.project import shown_path, shown_site
from initlint.project.sourcefiles import texts_of
from initlint.records import Finding, Report
from initlint.safe.shown import shown

_PACKAGE = "org.initlint"


def render(report: Report, root: Path | None = None) -> str:
    """One suite for each file with findings, and one for what was not analysed.

    Without either, one test that passed: servers take an empty report for a broken one.
    """
    texts = texts_of(report)
    top = ElementTree.Element("testsuites", name="initlint")
    by_path: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_path.setdefault(shown_path(finding, root, texts) or finding.model, []).append(finding)
    for path, findings in by_path.items():
        suite = _suite(top, path, len(findings), failures=len(findings))
        for finding in findings:
            _case(suite, finding, path, shown(message(finding, texts)))
    if report.unanalysed:
        suite = _suite(top, "not analysed", len(report.unanalysed), skipped=len(report.unanalysed))
        for gap in report.unanalysed:
            case = _sub(suite, "testcase", name=gap.target, classname="not analysed")
            _sub(case, "skipped", message=gap.reason)
    if not len(top):
        suite = _suite(top, "initlint", 1)
        _sub(suite, "testcase", name="No findings", classname="initlint")
    top.set("tests", str(sum(int(suite.get("tests", "0")) for suite in top)))
    top.set("failures", str(len(report.findings)))
    top.set("errors", "0")
    ElementTree.indent(top)
    body = ElementTree.tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(
    top: ElementTree.Element, name: str, tests: int, failures: int = 0, skipped: int = 0
) -> ElementTree.Element:
    numbers = {"tests": tests, "failures": failures, "errors": 0, "skipped": skipped}
    counts = {key: str(number) for key, number in numbers.items()}
    return _sub(top, "testsuite", name=name, package=_PACKAGE, **counts)


def _case(suite: ElementTree.Element, finding: Finding, path: str, text: str) -> None:
    site = shown_site(finding)
    place = {"line": str(site.line), "column": str(site.column)} if site else {}
    name = f"{_PACKAGE}.{finding.code}.{finding.model}.{finding.parameter}"
    case = _sub(suite, "testcase", name=name, classname=path, **place)
    failure = _sub(case, "failure", message=f"{finding.code} {text}", type=finding.severity)
    where = f"line {site.line}, col {site.column}, " if site else ""
    failure.text = f"{where}{finding.code} {finding.name}: {text}"


def _sub(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    escaped = {key: shown(value) for key, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, escaped)
