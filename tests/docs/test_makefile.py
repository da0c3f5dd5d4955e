"""The commands that CONTRIBUTING.md, README.md and CI name are the Makefile's."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
MARKERS = {"torch", "slow", "corpus", "gpu", "hook"}


def named(text):
    """The targets of each `make` in a text: `make lint types`, `make rule CODE=INIT101`."""
    calls = re.findall(r"(?:^|`|[= ])make((?: [a-z][a-z-]*)+)", text, re.MULTILINE)
    return {target for call in calls for target in call.split()}


def make(*words):
    """What `make` says, also where these tests are themselves run by it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )


def planned(target):
    """The lines that `make` would run."""
    return make("-n", "PYTHON=python", target).stdout


def test_every_command_of_contributing_is_a_target():
    commands = named(CONTRIBUTING)
    assert {"setup", "test", "test-torch", "lint", "types", "rule", "golden"} <= commands
    assert commands <= TARGETS


def test_contributing_names_every_target():
    assert TARGETS - named(CONTRIBUTING) == {"help", "check"}


def test_help_lists_every_target():
    lines = dict(line.split(maxsplit=1) for line in make("help").stdout.splitlines())
    assert set(lines) == TARGETS


def test_every_target_is_phony():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


def test_ci_runs_targets_alone():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {"test", "lint", "types", "test-torch"} <= named(script) <= TARGETS
    assert not re.search(r"^\s*(pytest|ruff|mypy)\b", script, re.MULTILINE)


def test_readme_and_make_run_the_same_tests():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"The tests: `.* && (pytest.*)`", readme)
    assert planned("test-torch") == f"python -m {command}\n"


def test_the_fast_tests_leave_out_what_is_dear():
    (left_out,) = re.findall(r"-m '(.*)'", planned("test"))
    assert set(left_out.split()) - {"not", "and"} == MARKERS - {"gpu"}


def test_the_markers_are_those_that_contributing_explains(pytestconfig):
    declared = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert declared >= MARKERS
    tests = CONTRIBUTING.partition("## Tests\n")[2]
    assert {marker for marker in MARKERS if f"`{marker}`" not in tests} == set()


@pytest.mark.parametrize(("target", "said"), [("rule", "name a rule"), ("why", "name a file")])
def test_a_target_that_wants_a_word_says_so(target, said):
    done = make(target)
    assert done.returncode == 2 and said in done.stdout
