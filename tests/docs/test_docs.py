"""The documents say what the program does: rules, gains, settings and options."""

import importlib
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

import initlint
from initlint.judge import load
from initlint.output import project
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


def test_readme_links_to_all_rules():
    assert "(rules/README.md)" in README.read_text(encoding="utf-8")


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


def test_the_table_of_gains_is_generated(update):
    """docs/gains.md: each activation with the gains of rules/activations.toml."""
    heads = ("followed by", "keeps the signal", "recommended", "accepted", "source")
    new = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n"
    for activation in catalog.activations().values():
        if activation.family == "unscaled":
            continue
        low, high = activation.accepted()
        accepted = f"{low:.4g} to {high:.4g}" if low < high else f"{low:.4g}"
        numbers = f"{activation.gain():.4f} | {activation.recommended_gain():.4g} | {accepted}"
        new += f"| `{activation.name}` | {numbers} | {activation.source} |\n"
    assert written(ROOT / "docs" / "gains.md", "gains", new, update) == new


def test_the_notebook_page_shows_the_table_of_a_report(update, monkeypatch):
    monkeypatch.chdir(ROOT / "docs" / "examples")
    new = f"{initlint.check('demo.ipynb')._repr_html_()}\n"
    assert written(ROOT / "docs" / "notebooks.md", "table", new, update) == new


@pytest.mark.torch
def test_the_page_on_filling_shows_what_a_report_prints(update, monkeypatch):
    import torch

    monkeypatch.syspath_prepend(ROOT / "docs" / "examples")
    lenet = importlib.import_module("lenet")
    torch.manual_seed(0)
    new = f"```\n{initlint.apply_(lenet.LeNet(), seed=0)}\n```\n"
    assert written(ROOT / "docs" / "apply.md", "filled", new, update) == new


def test_the_address_of_the_repository_is_that_of_pyproject():
    """One owner or none, in all documents and workflows; of other projects it is no concern."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.yml")]
    files += [path for path in ROOT.glob(".github/**/*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert set(re.findall(r"https://github\.com/[^/\s]+/initlint\b", text)) <= {project.home()}
    assert "OWNER" not in text


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
