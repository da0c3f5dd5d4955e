"""The formats for machines: json, github and gitlab, against their schemas and golden text."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from handmade import (
    CONV_SITE,
    DEFAULT,
    all_layers,
    finding,
    full_report,
    layer,
    live_finding,
    three_findings,
)

from initlint import output
from initlint.output import github, gitlab
from initlint.output import json as json_format
from initlint.output.project import fingerprints, project_root, shown_path
from initlint.records import Following, Initializer, Report, Site, Unanalysed

SCHEMAS = Path(__file__).parent / "schemas"
FINDING_KEYS = [
    *("code", "name", "severity", "message", "path", "line", "column", "end_line", "end_column"),
    *("model", "layer", "parameter", "following", "current", "recommended", "fix"),
    "unfixed",
]
LAYER_KEYS = [
    *("model", "layer", "parameter", "type", "shape", "fan_in", "fan_out"),
    *("following", "current", "recommended", "path", "line", "column"),
]


def validated(text, schema):
    content = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(content, json.loads((SCHEMAS / schema).read_text()))
    return content


@pytest.fixture(autouse=True)
def pinned_version(monkeypatch):
    monkeypatch.setattr(json_format, "__version__", "1.2.3")


def as_json(report):
    return validated(json_format.render(report), "report.json")


# json


def test_json(golden):
    golden(json_format.render(full_report()), "report.json")


@pytest.mark.parametrize(
    "report",
    [full_report(), Report(), Report(findings=(live_finding(),))],
    ids=["full", "empty", "live"],
)
def test_json_matches_its_schema(report):
    as_json(report)


def test_json_keys_keep_their_order():
    content = as_json(full_report())
    assert list(content) == ["version", "findings", "layers", "parameters", "unanalysed"]
    assert all(list(entry) == FINDING_KEYS for entry in content["findings"])
    assert all(list(entry) == LAYER_KEYS for entry in content["layers"])
    assert content["version"] == "1.2.3"


def test_json_layers_are_complete_without_findings():
    content = as_json(Report(layers=all_layers()))
    assert [entry["parameter"] for entry in content["layers"]] == [
        entry.parameter for entry in all_layers()
    ]
    assert content["findings"] == []


def test_json_unknown_is_null():
    bare = layer(current=None, recommended=None, site=None, fan_in=None, fan_out=None)
    (entry,) = as_json(Report(layers=(bare,)))["layers"]
    names = ("current", "recommended", "path", "line", "column", "fan_in", "fan_out")
    assert [entry[name] for name in names] == [None] * len(names)


def test_json_sizes_that_are_only_names_are_null():
    named = Report(layers=(layer(nominal=True), layer("b")), findings=(finding(), finding("b")))
    content = as_json(named)
    first, second = content["layers"]
    assert (first["shape"], first["fan_in"], first["fan_out"]) == (None, None, None)
    assert second["shape"] == [8, 8]
    for entries in (content["layers"], content["findings"]):
        assert [entry["current"]["std"] for entry in entries] == [None, 0.1]
        assert [entry["recommended"]["std"] for entry in entries] == [None, 0.25]


def test_json_arguments_worked_out_from_such_sizes_are_null():
    drawn = Initializer("normal_", {"std": 0.25}, 0.25)
    sloped = Initializer("kaiming_normal_", {"a": 0.2, "mode": "fan_in"}, 0.25)
    layers = [
        layer(nominal=True, recommended=drawn),
        layer("b", recommended=drawn),
        layer("c", nominal=True, recommended=sloped),
    ]
    content = as_json(Report(layers=tuple(layers)))["layers"]
    assert [entry["recommended"]["args"] for entry in content] == [
        {"std": None},
        {"std": 0.25},
        {"a": 0.2, "mode": "fan_in"},
    ]


def test_json_finding_of_a_live_model_has_no_place():
    (entry,) = as_json(Report(findings=(live_finding(),)))["findings"]
    places = ("path", "line", "column", "end_line", "end_column", "fix")
    assert [entry[name] for name in places] == [None] * len(places)
    assert entry["model"] == "Sequential"


def test_json_fix_is_a_call_that_can_be_pasted():
    (entry,) = as_json(Report(findings=(finding(),)))["findings"]
    assert entry["fix"] == {
        "applicability": "safe",
        "kind": "insert",
        "call": 'nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")',
        "edits": None,
    }


@pytest.mark.parametrize("std", [math.nan, math.inf, -math.inf, None])
def test_json_std_that_is_no_number_is_null(std):
    odd = Initializer("normal_", {"std": std}, std)
    (entry,) = as_json(Report(layers=(layer(current=odd, recommended=odd),)))["layers"]
    assert entry["current"]["std"] is None
    assert entry["recommended"]["std"] is None


class Tensor:
    def __str__(self):
        return "tensor(1.)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("relu", "relu"),
        (None, None),
        ((1, (2.0, "x")), [1, [2.0, "x"]]),
        ({"a": {1: Tensor()}}, {"a": {"1": "tensor(1.)"}}),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ({"relu"}, ["relu"]),
        (Tensor(), "tensor(1.)"),
    ],
)
def test_json_arguments(value, expected):
    odd = layer(
        following=Following("mixed", {"x": value}), current=replace(DEFAULT, args={"y": value})
    )
    (entry,) = as_json(Report(layers=(odd,)))["layers"]
    assert entry["following"]["args"] == {"x": expected}
    assert entry["current"]["args"] == {"y": expected}


def test_json_subclasses_of_numbers_are_plain():
    class Float(float):
        def __repr__(self):
            return "Float"

    (entry,) = as_json(Report(layers=(layer(current=Initializer("x", {}, Float(0.5))),)))["layers"]
    assert entry["current"]["std"] == 0.5


def test_json_is_ascii():
    assert json_format.render(full_report()).isascii()


# github


def commands(report, root=None):
    pattern = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")
    found = [pattern.fullmatch(line) for line in github.render(report, root).splitlines()]
    return [
        (match[1], dict(pair.split("=", 1) for pair in match[2].split(",")), match[3])
        for match in found
    ]


def test_github(project, golden):
    golden(github.render(full_report()), "github.txt")


def test_github_silent_without_findings():
    assert github.render(Report(layers=all_layers())) == ""


def test_github_worst_first(project):
    far = finding("far", current=Initializer("normal_", {}, 25.0))
    near = finding("near")
    unsure = finding("unsure", confidence="medium")
    error = finding("error", severity="error")
    note = finding("note", severity="note")
    shown = commands(Report(findings=(note, unsure, near, far, error)))
    assert [level for level, _, _ in shown] == ["error", *["warning"] * 3, "notice", "notice"]
    order = [text.split("INIT101 ")[1].split()[0] for _, _, text in shown[:-1]]
    assert order == ["error", "far", "near", "unsure", "note"]


def test_github_columns_only_on_one_line(project):
    shown = commands(Report(findings=three_findings()))
    by_line = {properties.get("line"): properties for _, properties, _ in shown}
    assert by_line["8"]["col"] == "21"
    assert by_line["8"]["endColumn"] == "39"
    assert by_line["10"]["endLine"] == "13"
    assert "col" not in by_line["10"]
    assert "endColumn" not in by_line["10"]


def test_github_no_columns_that_run_backwards(project):
    backwards = replace(CONV_SITE, end_column=3)
    ((_, properties, _), _) = commands(Report(findings=(finding(site=backwards),)))
    assert "col" not in properties


def test_github_repeats_the_place_in_the_message(project):
    ((_, _, text), _) = commands(Report(findings=(finding(),)))
    assert text.startswith("net.py:8:21: INIT101 conv is followed by relu")


@pytest.mark.parametrize(
    ("raw", "data", "prop"),
    [
        ("100%", "100%25", "100%25"),
        ("a\r\nb", "a\\r\\nb", "a%0D%0Ab"),
        ("a:b,c", "a:b,c", "a%3Ab%2Cc"),
        ("%3A", "%253A", "%253A"),
    ],
)
def test_github_escapes(project, raw, data, prop):
    odd = finding(message=raw, name=raw, site=None, model=raw, fix=None, recommended=None)
    first = github.render(Report(findings=(odd,))).split("\n::notice")[0]
    assert first == f"::warning title=INIT101 {prop}::{data}: conv: INIT101 {data}"


def test_github_escapes_paths(project):
    odd = finding(site=replace(CONV_SITE, path="a,b/c:d.py"))
    assert "file=a%2Cb/c%3Ad.py," in github.render(Report(findings=(odd,)))


def test_github_total(project):
    *_, total = github.render(Report(findings=three_findings())).splitlines()
    assert total == "::notice title=initlint::3 findings: 1 error, 2 warnings"


def test_github_total_says_what_is_not_shown(project):
    many = Report(findings=tuple(finding() for _ in range(11)))
    *_, total = github.render(many).splitlines()
    assert total.endswith("11 findings: 11 warnings; GitHub shows 10 of each kind a step")


# gitlab


def as_gitlab(report, root=None):
    return validated(gitlab.render(report, root), "gitlab.json")


def test_gitlab(project, golden):
    golden(gitlab.render(full_report()), "gitlab.json")


@pytest.mark.parametrize(
    "report",
    [full_report(), Report(), Report(findings=(live_finding(),))],
    ids=["full", "empty", "live"],
)
def test_gitlab_matches_its_schema(project, report):
    assert len(as_gitlab(report)) == len(report.findings)


def test_gitlab_entry(project):
    (entry,) = as_gitlab(Report(findings=(finding(severity="error"),)))
    assert entry["check_name"] == "INIT101"
    assert entry["description"].startswith("INIT101 default-before-rectifier: conv is followed")
    assert entry["severity"] == "major"
    assert entry["location"] == {"path": "net.py", "lines": {"begin": 8}}


@pytest.mark.parametrize(
    ("severity", "expected"), [("error", "major"), ("warning", "minor"), ("note", "info")]
)
def test_gitlab_severities(project, severity, expected):
    (entry,) = as_gitlab(Report(findings=(finding(severity=severity),)))
    assert entry["severity"] == expected


# Paths and fingerprints


def test_paths_are_relative_to_the_project(project, monkeypatch):
    monkeypatch.chdir(project / "pkg")
    found = finding(site=replace(CONV_SITE, path="müller.py"))
    assert shown_path(found, project) == "pkg/müller.py"
    assert shown_path(found, None) == "müller.py"


def test_paths_resolve_links(project):
    (project / "link").symlink_to(project / "pkg", target_is_directory=True)
    assert shown_path(finding(site=replace(CONV_SITE, path="link/müller.py")), project) == (
        "pkg/müller.py"
    )


def test_paths_outside_the_project_stay_absolute(project):
    outside = finding(site=replace(CONV_SITE, path="/elsewhere/net.py"))
    assert shown_path(outside, project) == "/elsewhere/net.py"


def test_paths_of_another_root_fall_back_to_here(project):
    assert shown_path(finding(), Path("/github/workspace")) == "net.py"


def test_no_path_without_a_site():
    assert shown_path(live_finding(), None) is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "."),
        ({"GITHUB_WORKSPACE": "/w"}, "/w"),
        ({"CI_PROJECT_DIR": "/p"}, "/p"),
        ({"GITHUB_WORKSPACE": "", "CI_PROJECT_DIR": "/p"}, "/p"),
    ],
)
def test_project_root(environ, expected):
    assert project_root(environ) == Path(expected)


def marks(*findings):
    return fingerprints(Report(findings=findings), None)


ORIGINAL = finding(
    "conv1", message="conv1 (6×3×5) at net.py:14:3 gives std 0.1, 0.41×, over 5 layers"
)
SAME = {
    "moved to another line": {"site": Site("net.py", 80, 1, 81, 5)},
    "the call it cites moved": {"message": ORIGINAL.message.replace("14:3", "15")},
    "a neighbour was repaired": {"message": ORIGINAL.message.replace("5 layers", "3 layers")},
    "its size changed": {"message": ORIGINAL.message.replace("6×3×5", "16×3×5")},
    "spacing": {"message": ORIGINAL.message.replace(" ", "  ")},
}
OTHER = {
    "another layer": {"message": ORIGINAL.message.replace("conv1", "conv2")},
    "another rule": {"code": "INIT102"},
    "another file": {"site": replace(CONV_SITE, path="pkg/müller.py")},
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_fingerprint_outlives(change):
    assert marks(replace(ORIGINAL, **change)) == marks(ORIGINAL)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_fingerprint_tells_apart(change):
    assert marks(replace(ORIGINAL, **change)) != marks(ORIGINAL)


def test_fingerprints_number_what_is_alike():
    first, second = marks(ORIGINAL, ORIGINAL)
    assert first != second
    assert marks(ORIGINAL) == (first,)


def test_fingerprint_of_a_file_name_that_is_not_utf8():
    (mark,) = marks(finding(site=replace(CONV_SITE, path="a\udcff.py")))
    assert len(mark) == 64


# The choice of a format


@pytest.mark.parametrize("form", output.FORMATS)
def test_every_format_renders_every_report(project, form):
    for report in (Report(), full_report(), Report(findings=(live_finding(),))):
        assert isinstance(output.render(report, form), str)


def test_unanalysed_alone(project):
    gap = Report(unanalysed=(Unanalysed("a:B", "no such module"),))
    assert as_json(gap)["unanalysed"] == [{"target": "a:B", "reason": "no such module"}]
    assert as_gitlab(gap) == []
