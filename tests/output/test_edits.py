"""The edits in JSON, SARIF and rdjson: applied, they give the text that --fix writes."""

import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from handmade import full_report, live_finding, rules

from initlint import output
from initlint.fix.notebook import rewrite_file
from initlint.output import project, sarif
from initlint.pipeline.asked import Options
from initlint.pipeline.judged import judged
from initlint.records import Preferences, Report, Unanalysed

SCHEMAS = Path(__file__).parent / "schemas"
NET = """import torch
from torch import nn


class Größe(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.ä = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)
        nn.init.xavier_normal_(self.b.weight)

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.ä(torch.relu(self.a(x))))))
"""
NO_IMPORT = NET.replace("from torch import nn\n", "").replace("nn.", "torch.nn.")
LAYERS = f"nn.Sequential({'nn.Linear(8, 8), nn.ReLU(), ' * 2}nn.Linear(8, 8))"
LAST = f"import torch.nn as nn\nnet = {LAYERS}"
SOURCES = {
    "a class": NET,
    "no import": NO_IMPORT,
    "no line end": LAST,
    "windows": NET.replace("\n", "\r\n"),
}


def report_of(path):
    found, _ = judged([path], Options())
    assert found.findings
    return found


def offset(lines, place):
    return sum(len(line) for line in lines[: place["line"] - 1]) + place["column"] - 1


def applied(text, edits):
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda e: e["start"]["line"], reverse=True):
        start, end = offset(lines, edit["start"]), offset(lines, edit["end"])
        text = text[:start] + edit["text"] + text[end:]
    return text


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", SOURCES.values(), ids=SOURCES)
def test_edits_of_files(here, text):
    source = text.encode()
    Path("net.py").write_bytes(source)
    report = report_of("net.py")
    content = json.loads(output.render(report, "json", preferences=Preferences()))
    for finding, entry in zip(report.findings, content["findings"], strict=True):
        wanted = rewrite_file(source, "net.py", [finding], Preferences())
        edits = entry["fix"]["edits"]
        assert (edits is None) is bool(wanted.refused)
        if edits is not None:
            assert {edit["path"] for edit in edits} == {"net.py"}
            assert applied(text, edits).encode() == wanted.source != source


def test_edits_of_notebooks(here):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "%cd .\nimport torch"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": NET.split("\n", 1)[1]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": LAST},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "x = 1"},
    ]
    source = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()
    Path("net.ipynb").write_bytes(source)
    report = report_of("net.ipynb")
    content = json.loads(output.render(report, "json", preferences=Preferences()))
    jsonschema.validate(content, json.loads((SCHEMAS / "report.json").read_text()))
    for finding, entry in zip(report.findings, content["findings"], strict=True):
        wanted = json.loads(rewrite_file(source, "net.ipynb", [finding], Preferences()).source)
        (cell,) = {edit["cell"] for edit in entry["fix"]["edits"]}
        new = applied(cells[cell - 1]["source"], entry["fix"]["edits"])
        assert new == "".join(wanted["cells"][cell - 1]["source"]) != cells[cell - 1]["source"]


def test_without_preferences_there_are_no_edits(here):
    Path("net.py").write_text(NET, encoding="utf-8")
    (first, _) = json.loads(output.render(report_of("net.py"), "json"))["findings"]
    assert first["fix"]["edits"] is None


def test_so_many_findings_of_a_report_have_edits(here, monkeypatch):
    from initlint.fix import proposals

    most = 20
    monkeypatch.setattr(proposals, "_MOST", most)
    rows = "".join(f"net{n} = {LAYERS}\n" for n in range(most + 3))
    Path("net.py").write_text(f"from torch import nn\n{rows}")
    report = report_of("net.py")
    maker = proposals.Proposals.of(report, Preferences())
    edits = [maker.edits(finding) for finding in report.findings]
    assert len(edits) == most + 3
    assert all(edit is not None for edit in edits[:most]) and edits[most:] == [None] * 3


@pytest.mark.parametrize("home", ["", "https://example.org/initlint"])
def test_sarif_has_fixes_and_addresses(here, monkeypatch, home):
    monkeypatch.setattr(sarif, "home", lambda: home)
    monkeypatch.setattr(project, "home", lambda: home)
    monkeypatch.setattr(project, "__version__", "1.2.3")
    Path("net.py").write_text(NET, encoding="utf-8")
    report = report_of("net.py")
    text = output.render(report, "sarif", rules=rules().values(), preferences=Preferences())
    log = json.loads(text)
    for schema in ("sarif-2.1.0.json", "sarif-github.json"):
        if (SCHEMAS / schema).exists():
            jsonschema.validate(log, json.loads((SCHEMAS / schema).read_text()))
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    pages = {rule["id"]: rule.get("helpUri") for rule in driver["rules"]}
    # Where no address is known, none is invented.
    assert driver.get("informationUri") == (home or None)
    assert pages == {c: f"{home}/blob/v1.2.3/rules/{c}.md" if home else None for c in pages}
    (fix,) = run["results"][0]["fixes"]
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "net.py"}
    (replacement,) = change["replacements"]
    assert "kaiming_normal_(self.ä.weight" in replacement["insertedContent"]["text"]
    region = replacement["deletedRegion"]
    assert region == {"startLine": 12, "startColumn": 1, "endLine": 12, "endColumn": 1}
    assert sarif.render(report, rules().values()).count('"fixes"') == 0


def test_rdjson_counts_columns_in_bytes(here):
    text = f"from torch import nn\nä = {LAYERS}\n"
    Path("net.py").write_text(text, encoding="utf-8")
    content = json.loads(output.render(report_of("net.py"), "rdjson", preferences=Preferences()))
    assert content["source"]["name"] == "initlint"
    (found,) = content["diagnostics"]
    line = text.splitlines()[1]
    start = found["location"]["range"]["start"]
    assert start == {
        "line": 2,
        "column": len(line[: [m.start() for m in re.finditer("nn.Linear", line)][1]].encode()) + 1,
    }
    assert (found["severity"], found["code"]["value"]) == ("WARNING", "INIT101")
    assert "kaiming_normal_" in found["suggestions"][0]["text"]


def parsed(report):
    return ElementTree.fromstring(output.render(report, "junit"))


def test_junit():
    report = full_report()
    top = parsed(report)
    cases = top.findall(".//failure")
    assert len(cases) == len(report.findings) == int(top.get("failures"))
    skipped = [case.get("message") for case in top.findall(".//skipped")]
    assert skipped == [gap.reason for gap in report.unanalysed]
    assert int(top.get("tests")) == len(cases) + len(skipped)
    first = top.find("testsuite/testcase")
    assert (first.get("line"), first.get("column")) == ("8", "21")
    assert first.get("name").startswith("org.initlint.INIT101.")


@pytest.mark.parametrize("report", [Report(), Report(findings=(live_finding(),))])
def test_junit_of_no_file(report):
    top = parsed(report)
    assert int(top.get("tests")) == 1 and len(top.findall(".//failure")) == len(report.findings)


def test_junit_is_xml_whatever_the_names():
    gap = Unanalysed("a\0b\x1b<&\"'>\ud800", "no\nsuch\x08 ]]> module\udfff")
    top = parsed(Report(unanalysed=(gap,)))
    assert "\n" not in top.find(".//skipped").get("message")
    assert os.linesep not in top.find(".//testcase").get("name")
