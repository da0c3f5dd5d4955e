"""Findings in notebooks: cell and line where people read, the first line where hosts show."""

import json
from pathlib import Path

import jsonschema
import pytest
from handmade import finding, layer

from initlint import output
from initlint.records import Initializer, Report, Site

SCHEMA = json.loads((Path(__file__).parent / "schemas/report.json").read_text())
CELLS = [
    {"cell_type": "markdown", "source": "# Nets"},
    {"cell_type": "code", "source": ["from torch import nn\n", "%matplotlib inline"]},
    {"cell_type": "code", "source": ["x = 1\n", "y = nn.Linear(\n", "    3, 4)"]},
]
SITE = Site("net.ipynb", 4, 5, 5, 10)


@pytest.fixture
def report(project):
    (project / "net.ipynb").write_text(json.dumps({"cells": CELLS, "metadata": {}}))
    current = Initializer("normal_", {}, 1.0, site=SITE)
    return Report((layer(site=SITE, current=current),), (finding(site=SITE),))


def test_text_names_cell_and_line(report):
    assert output.render(report, "concise").startswith("net.ipynb:cell 3:2:5: INIT101 ")


def test_excerpt_is_of_the_cell(report):
    assert output.render(report, "full").splitlines()[1:6] == [
        "  |",
        "2 |   y = nn.Linear(",
        "  |  _____^",
        "3 | |     3, 4)",
        "  | |_________^",
    ]


def test_json_has_the_cell_and_the_line_in_it(report):
    content = json.loads(output.render(report, "json"))
    jsonschema.validate(content, SCHEMA)
    found, made = content["findings"][0], content["layers"][0]
    assert (found["cell"], found["line"], found["end_line"], found["column"]) == (3, 2, 3, 5)
    assert (made["cell"], made["line"]) == (3, 2)
    assert (made["current"]["cell"], made["current"]["line"]) == (3, 2)


def test_json_of_files_has_no_cell(report):
    content = json.loads(output.render(Report((layer(),), (finding(),)), "json"))
    assert "cell" not in content["findings"][0]


def test_hosts_get_the_first_line(report):
    github = output.render(report, "github")
    assert "file=net.ipynb,line=1,endLine=1,col=1,endColumn=1::" in github
    assert "net.ipynb:cell 3:2:5: INIT101" in github
    assert json.loads(output.render(report, "gitlab"))[0]["location"]["lines"] == {"begin": 1}
    sarif = json.loads(output.render(report, "sarif"))["runs"][0]["results"][0]
    assert sarif["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
