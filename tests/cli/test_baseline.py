"""Baselines: known findings are silent wherever their lines go, new ones are reported."""

import json
import os
from pathlib import Path

import pytest

from initlint.cli import main as cli
from initlint.project import config

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return torch.relu(self.b(torch.relu(self.a(x))))
"""
# A finding that is new beside those of NET.
MORE = NET + NET[NET.index("class") :].replace("Net", "Other")
SETTINGS = '[tool.initlint]\nbaseline = "known.json"\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config._nearest.cache_clear()
    return tmp_path


@pytest.fixture
def run(here, capfd):
    """Runs `initlint check` with words; gives code, stdout and stderr."""

    def check(*words):
        config._nearest.cache_clear()
        code = cli.main(["check", "--no-cache", "--output-format", "concise", *words])
        captured = capfd.readouterr()
        assert "internal error" not in captured.err
        return code, captured.out, captured.err

    return check


@pytest.fixture
def adopted(here, capfd):
    """A project with a baseline that knows all findings."""
    Path("pyproject.toml").write_text(SETTINGS)
    Path("net.py").write_text(NET)
    assert cli.main(["check", "--write-baseline", "known.json"]) == 0
    assert "Wrote 2 findings to known.json.\n" in capfd.readouterr().err


def known():
    return json.loads(Path("known.json").read_text(encoding="utf-8"))["findings"]


def test_all_findings_are_known(adopted, run):
    assert run() == (0, "", "No findings in 3 weights of 1 model; 2 known (baseline).\n")


def test_the_file_is_sorted_and_has_no_line_numbers(adopted):
    assert [entry["parameter"] for entry in known()] == ["a.weight", "b.weight"]
    assert known()[0] == {
        "path": "net.py",
        "code": "INIT101",
        "model": "Net",
        "parameter": "a.weight",
        "context": "self.a = nn.Linear(8, 8)",
        "count": 1,
    }


def test_without_settings_the_first_run_says_what_to_write(here, capfd):
    Path("net.py").write_text(NET)
    assert cli.main(["check", "--write-baseline", "known.json"]) == 0
    assert 'write baseline = "known.json" in [tool.initlint]' in capfd.readouterr().err


CHANGES = {
    "lines above": "\n\n# a comment\n" + NET,
    "another indentation": NET.replace("    ", "\t"),
    "a comment elsewhere": NET.replace("def forward", "# forward\n    def forward"),
    "other code": NET + "\n\ndef helper():\n    return 3\n",
    "a function that makes the model": NET + "\n\ndef main():\n    return Net()\n",
}


@pytest.mark.parametrize("text", CHANGES.values(), ids=CHANGES)
def test_known_findings_stay_known(adopted, run, text):
    Path("net.py").write_text(text)
    assert run()[:2] == (0, "")


def test_known_findings_stay_known_in_a_file_with_another_name(adopted, run):
    Path("net.py").rename("model.py")
    assert run()[:2] == (0, "")


def test_a_second_model_of_the_same_name_changes_nothing(adopted, run):
    Path("clean.py").write_text(NET.replace("torch.relu", "torch.sin"))
    assert run()[:2] == (0, "")


def test_a_new_model_with_a_line_of_one_that_was_fixed_is_new(adopted, run):
    clean = NET.replace("torch.relu", "torch.sin")
    Path("net.py").write_text(clean + MORE[len(NET) :])
    code, out, _ = run()
    assert (code, out.count("\n")) == (1, 2)


def test_a_copy_is_new(adopted, run):
    Path("copy.py").write_text(NET)
    code, out, _ = run()
    assert (code, out.count("\n")) == (1, 2)
    assert all(line.startswith("copy.py:") for line in out.splitlines())


def test_a_new_finding_speaks(adopted, run):
    Path("net.py").write_text(MORE)
    code, out, err = run()
    assert (code, out.count(": INIT101 ")) == (1, 2)
    assert err == "Found 2 findings in 1 model; 2 fixable with --fix; 2 known (baseline).\n"


def test_a_line_that_changed_is_new_and_the_old_one_gone(adopted, run):
    Path("net.py").write_text(NET.replace("self.a = nn.Linear(8, 8)", "self.a = nn.Linear(9, 8)"))
    code, out, err = run()
    assert (code, out.count("\n")) == (1, 1)
    assert (
        "known.json: 1 finding of the baseline no longer found; --prune-baseline removes it" in err
    )


def test_gone_findings_are_said_and_removed_on_request(adopted, run):
    Path("net.py").write_text(NET.replace("torch.relu(self.b", "torch.sin(self.b"))
    code, out, err = run()
    assert (code, out) == (0, "")
    assert "of the baseline no longer found; --prune-baseline removes " in err
    before = len(known())
    _, _, err = run("--prune-baseline")
    assert "Removed " in err and " from known.json.\n" in err
    assert len(known()) < before
    assert "baseline no" not in run()[2]


def test_gone_is_only_what_the_run_could_have_found(adopted, run):
    Path("other.py").write_text("x = 1\n")
    for words in (["other.py"], ["--select", "INIT2", "net.py"]):
        assert "no longer found" not in run(*words)[2]
    run("--prune-baseline", "other.py")
    assert len(known()) == 2
    Path("net.py").write_text("def broken(:\n")
    assert "no longer found" not in run("net.py")[2]
    Path("net.py").unlink()
    assert "no longer found" not in run("other.py")[2]
    assert "2 findings of the baseline no longer found" in run()[2]


def test_findings_of_a_file_that_is_gone_are_gone(adopted, run):
    Path("net.py").unlink()
    Path("other.py").write_text("x = 1\n")
    run("--prune-baseline", ".")
    assert known() == []


def test_writing_anew_keeps_what_the_run_did_not_judge(adopted, run, capfd):
    Path("other.py").write_text(
        MORE[MORE.index("class Other") :].join([NET[: NET.index("class")], ""])
    )
    assert cli.main(["check", "--write-baseline", "known.json", "other.py"]) == 0
    capfd.readouterr()
    assert [entry["path"] for entry in known()] == ["net.py", "net.py", "other.py", "other.py"]
    assert run()[0] == 0


def test_fix_leaves_known_findings_alone(adopted, run):
    Path("net.py").write_text(MORE)
    assert run("--fix")[0] == 0
    text = Path("net.py").read_text()
    assert text.startswith(NET) and text.count("kaiming_normal_") == 2


def test_the_baseline_of_the_command_line(adopted, run):
    Path("known.json").rename("elsewhere.json")
    assert run("--isolated", "--baseline", "elsewhere.json")[0] == 0
    assert run("--isolated")[0] == 1


def test_each_file_has_the_baseline_of_its_own_settings(here, run):
    for folder, baseline in (("a", "known.json"), ("b", "other.json")):
        place = Path(folder)
        place.mkdir()
        (place / "pyproject.toml").write_text(f'[tool.initlint]\nbaseline = "{baseline}"\n')
        (place / "net.py").write_text(NET)
        os.chdir(place)
        config._nearest.cache_clear()
        assert cli.main(["check", "--write-baseline", baseline]) == 0
        os.chdir(here)
    assert run("a", "b")[:2] == (0, "")
    (here / "b" / "other.json").write_text('{"version": 1, "findings": []}')
    assert run("a", "b")[0] == 1


BROKEN = {
    "no JSON": "{",
    "a list": "[]",
    "another version": '{"version": 2, "findings": []}',
    "no list": '{"version": 1, "findings": {}}',
    "no entries": '{"version": 1, "findings": [3]}',
    "no path": '{"version": 1, "findings": [{"code": "INIT101"}]}',
    "no number": json.dumps({"version": 1, "findings": [
        dict.fromkeys(("path", "code", "model", "parameter", "context"), "x") | {"count": "2"}]}),
    "nested": "[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_baseline_is_one_line(adopted, run, content):
    Path("known.json").write_text(content)
    code, out, err = run()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("initlint: error: known.json: not a baseline: ")
    # A file that is none is not overwritten either.
    assert cli.main(["check", "--write-baseline", "known.json"]) == 2
    assert Path("known.json").read_text() == content


def test_a_missing_baseline_is_one_line_with_the_remedy(adopted, run):
    Path("known.json").unlink()
    code, out, err = run()
    assert (code, out) == (2, "")
    said = "known.json: the baseline cannot be read: No such file or directory; --write-baseline"
    assert err == f"initlint: error: {said} known.json writes one\n"


@pytest.mark.parametrize(
    "make",
    [
        lambda place: place.symlink_to("../outside.json"),
        lambda place: os.mkfifo(place),
        lambda place: place.mkdir(),
    ],
    ids=["link", "pipe", "folder"],
)
def test_only_a_regular_file_is_a_baseline(adopted, run, here, make):
    place = Path("known.json")
    (here.parent / "outside.json").write_text(place.read_text())
    place.unlink()
    make(place)
    code, _, err = run()
    assert code == 2 and "known.json" in err and err.count("\n") == 1


def test_what_the_baseline_knows_can_be_seen_again(adopted, run):
    assert run()[0] == 0
    code, out, err = run("--ignore-baseline")
    assert code == 1 and out.count("INIT101") == 2 and "known" not in err
    assert run()[0] == 0


def test_a_baseline_outside_of_the_settings_folder_is_refused(here, run):
    (here / "pyproject.toml").write_text('[tool.initlint]\nbaseline = "../known.json"\n')
    (here / "net.py").write_text(NET)
    code, _, err = run()
    assert code == 2 and "[tool.initlint] baseline: ../known.json is outside of" in err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("--write-baseline x.json --fix", "--fix"),
        ("--write-baseline x.json --exit-zero", "--exit-zero"),
        ("--write-baseline x.json --prune-baseline", "--prune-baseline"),
        ("--write-baseline x.json --baseline y.json", "--baseline"),
        ("--diff --prune-baseline", "--prune-baseline"),
    ],
)
def test_options_that_have_no_effect_beside(here, capfd, words, option):
    assert cli.main(["check", *words.split()]) == 2
    assert f"{option} has no effect here" in capfd.readouterr().err


RENAMED = [["agents"], ["agents/a.py"], [".", "--exclude", "zoo"], ["agents", "zoo/same.py"]]


@pytest.fixture
def renamed(here, capfd):
    """A project of two folders with a baseline, where a file got another name afterwards."""
    Path("pyproject.toml").write_text(SETTINGS)
    for name in ("agents/a.py", "agents/b.py", "zoo/cnn.py", "zoo/same.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(NET.replace("Net", Path(name).stem.title()))
    assert cli.main(["check", "--write-baseline", "known.json"]) == 0
    capfd.readouterr()
    Path("zoo/cnn.py").rename("zoo/convs.py")
    Path("agents/b.py").rename("zoo/moved.py")


@pytest.mark.parametrize("targets", RENAMED, ids=" ".join)
def test_a_part_of_the_project_removes_nothing_of_files_that_it_did_not_read(renamed, run, targets):
    before = Path("known.json").read_text(encoding="utf-8")
    assert "no longer found" not in run(*targets)[2]
    assert "Removed" not in run(*targets, "--prune-baseline")[2]
    assert Path("known.json").read_text(encoding="utf-8") == before
    assert run()[:2] == (0, "")


def test_a_folder_inside_the_project_is_a_part_of_it(renamed, run, monkeypatch, here):
    monkeypatch.chdir(here / "agents")
    assert "no longer found" not in run()[2]


def test_a_rule_that_did_not_run_finds_nothing_in_a_file_with_another_name(renamed, run):
    assert "no longer found" not in run("--select", "INIT2")[2]


def test_a_file_that_cannot_be_read_may_hold_what_is_gone(renamed, run):
    Path("zoo/convs.py").write_text("def (:\n")
    assert "no longer found" not in run()[2]


@pytest.mark.parametrize("targets", [[], ["."], ["zoo", "."]], ids=["none", "dot", "both"])
def test_the_whole_project_tells_what_is_gone(renamed, run, targets):
    Path("zoo/convs.py").unlink()
    assert "2 findings of the baseline no longer found" in run(*targets)[2]
    assert "Removed 2 findings" in run(*targets, "--prune-baseline")[2]
    assert run()[:2] == (0, "")


def test_the_settings_tell_what_the_whole_project_is(renamed, run):
    Path("pyproject.toml").write_text(SETTINGS + 'paths = ["zoo", "agents"]\n')
    Path("zoo/convs.py").unlink()
    assert "2 findings of the baseline no longer found" in run()[2]


def test_a_new_baseline_of_a_part_keeps_what_has_another_name(renamed, run):
    assert run("agents", "--write-baseline", "known.json")[0] in (0, 2)
    assert run()[:2] == (0, "")


def test_the_lock_of_a_part_misses_nothing_that_has_another_name(renamed, run, capfd):
    Path("zoo/convs.py").rename("zoo/cnn.py")
    assert cli.main(["lock"]) == 0
    Path("zoo/cnn.py").rename("zoo/convs.py")
    assert run("agents", "--locked")[0] == 0
    Path("zoo/convs.py").unlink()
    assert run("agents", "--locked")[0] == 0
    assert run("--locked")[0] == 1
