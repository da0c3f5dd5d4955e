"""The workflows and issue templates: they parse, use the Makefile, and cover every Python."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in GITHUB.glob("workflows/*.yml")}


def commands(workflow):
    return [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]


def test_every_python_that_the_package_names_is_tested():
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert WORKFLOWS["ci"]["jobs"]["reading"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_ci_runs_the_commands_of_contributors():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {
        command.split()[1] for command in commands(WORKFLOWS["ci"]) if command.startswith("make")
    }
    assert made == {"test", "docs"} and made <= targets
    assert ".ci/run" in commands(WORKFLOWS["ci"])


def test_a_workflow_has_no_more_rights_than_it_needs():
    assert all(workflow["permissions"] == {"contents": "read"} for workflow in WORKFLOWS.values())
    publish = WORKFLOWS["release"]["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"} and publish["needs"] == "build"
    assert not [command for command in commands(WORKFLOWS["release"]) if "password" in command]


def test_a_release_is_checked_before_it_is_published():
    done = " ".join(commands(WORKFLOWS["release"]))
    assert done.index("python -m build") < done.index("twine check") < done.index("initlint check")


def test_extras_that_workflows_install_exist():
    named = re.findall(r"\.\[([\w,]+)\]", " ".join(commands(WORKFLOWS["ci"])))
    assert {extra for names in named for extra in names.split(",")} <= set(
        PROJECT["optional-dependencies"]
    )


@pytest.mark.parametrize("path", sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml")), ids=lambda p: p.stem)
def test_issue_templates(path):
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert set(form) == {"blank_issues_enabled"}
        return
    assert {"name", "description", "body"} <= set(form)
    ids = [entry["id"] for entry in form["body"]]
    assert len(ids) == len(set(ids)) and all(entry["attributes"]["label"] for entry in form["body"])
