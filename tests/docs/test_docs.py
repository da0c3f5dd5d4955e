"""The documents say what the program does: output, rule table, digits, flags and exit codes."""

import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from initlint.judge import load
from initlint.project import config, select
from initlint.project.select import Selection
from initlint.torchlib import catalog

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def between(text, mark):
    return text.split(f"<!-- {mark} -->\n")[1].split(f"<!-- /{mark} -->")[0]


def written(path, mark, new, update):
    """What a document holds between two marks, rewritten first under --update-golden."""
    text = path.read_text(encoding="utf-8")
    if update:
        head, tail = text.split(f"<!-- {mark} -->\n")
        rest = tail.split(f"<!-- /{mark} -->")[1]
        text = f"{head}<!-- {mark} -->\n{new}<!-- /{mark} -->{rest}"
        path.write_text(text, encoding="utf-8")
    return between(text, mark)


@pytest.fixture
def update(request):
    return request.config.getoption("--update-golden")


def test_readme_shows_real_output(update):
    (target,) = re.findall(r"&& initlint check (\S+)\n```", README.read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "initlint", "check", target]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1, done.stderr
    new = f"```\n{done.stdout}{done.stderr}```\n"
    assert written(README, "output", new, update) == new


def test_readme_lists_every_rule(update):
    new = "| rule | reports | fix |\n|---|---|---|\n" + "".join(
        f"| [{rule.code}](rules/{rule.code}.md) `{rule.name}` | {rule.summary} "
        f"| {rule.fix or 'none'} |\n"
        for rule in load().cards.values()
    )
    assert written(README, "rules", new, update) == new


def test_the_index_of_rules_is_generated(update):
    """rules/README.md: each group with its rules, and what differs from one to the other."""
    new = ""
    for group, rules in groupby(load().cards.values(), key=lambda rule: rule.group):
        rows = "".join(
            f"| [{rule.code}]({rule.code}.md) `{rule.name}` | {rule.summary} | {rule.severity} "
            f"| {rule.confidence} | {rule.fix or 'none'} | {'on' if rule.default else 'off'} "
            f"| {rule.since} |\n"
            for rule in rules
        )
        heads = ("rule", "reports", "severity", "confidence", "fix", "default", "since")
        head = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n"
        new += f"## {group[:1].upper()}{group[1:]}\n\n{head}{rows}\n"
    assert written(ROOT / "rules" / "README.md", "rules", new, update) == new


def test_verdict_names_every_activation_that_is_judged():
    text = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
    judged = [a.name for a in catalog.activations().values() if a.family != "unscaled"]
    assert [name for name in judged if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("command", ["check", "apply", "rule"])
def test_every_option_is_documented(command):
    done = subprocess.run(
        [sys.executable, "-m", "initlint", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"--[a-z][a-z-]+", done.stdout)) - {"--help"}
    documents = README.read_text(encoding="utf-8") + (ROOT / "docs" / "usage.md").read_text("utf-8")
    assert {option for option in options if option not in documents} == set()


def test_the_settings_that_usage_shows_are_accepted(tmp_path, monkeypatch):
    usage = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(\[tool\.initlint\]\n.*?)```", usage, re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(block, encoding="utf-8")
    tests = tmp_path / "tests" / "net.py"
    monkeypatch.chdir(tmp_path)
    settings = config.settings("pyproject.toml", False)
    settings.here().preferences()
    chosen = Selection((), (), settings)
    assert chosen.codes() and not chosen.codes(str(tests))


@pytest.mark.parametrize("name", ["README.md", "docs/usage.md", "docs/hooks.md"])
def test_rules_that_options_name_in_documents_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"--(?:select|ignore)[ ,=]+([A-Z]+[0-9]+)", text)
    assert all(select.codes_of(entry, load()) for entry in named)
