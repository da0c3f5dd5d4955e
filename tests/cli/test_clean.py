"""A run that found nothing is answered again without a look, as long as nothing has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from initlint import clean

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.norm(self.fc(x)).relu())
"""
BAD = NET.replace("self.norm(self.fc(x))", "self.fc(x)")
SAID = "No findings in 2 weights of 1 model.\n"
# Says whether anything was loaded to answer.
PROGRAM = (
    "import atexit, os, sys; leave = os._exit\n"
    "def told(code):\n"
    "    print('loaded' if 'click' in sys.modules else 'at once', flush=True); leave(code)\n"
    "os._exit = told\n"
    "from initlint.start import run\n"
    "run()"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    return tmp_path


def run(*line, cwd=None):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(line or ("check", "net.py"))],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    return done.returncode, done.stdout, done.stderr


def test_what_was_clean_is_said_again_at_once():
    assert run() == (0, "loaded\n", SAID)
    assert run() == (0, "at once\n", SAID)
    assert run("check", "-q", "net.py") == (0, "loaded\n", "")
    assert run("check", "-q", "net.py") == (0, "at once\n", "")


CHANGES = {
    "the file": lambda: Path("net.py").write_text(NET + "x = 1\n"),
    "settings beside it": lambda: Path("pyproject.toml").write_text("[tool.initlint]\n"),
    "settings above it": lambda: Path("../pyproject.toml").write_text("[tool.initlint]\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_looked_at(change):
    run()
    change()
    assert run()[1] == "loaded\n"
    Path("../pyproject.toml").unlink(missing_ok=True)


def test_what_is_no_longer_clean_is_found():
    run()
    Path("net.py").write_text(BAD)
    code, out, _ = run()
    assert code == 1 and "INIT101" in out
    assert run()[0] == 1
    Path("net.py").write_text(NET)
    assert run() == (0, "at once\n", SAID)


def test_settings_that_are_wrong_are_refused_though_the_file_was_clean():
    run()
    Path("pyproject.toml").write_text("[tool.initlint]\nselct = []\n")
    assert run()[0] == 2


def test_another_initlint_looks_itself(monkeypatch):
    line = ["check", "net.py"]
    before = clean.entry_of(line)
    assert before == clean.entry_of(line)
    with monkeypatch.context() as patch:
        patch.setattr(clean, "__version__", "99")
        assert clean.entry_of(line) != before
    rule = Path(clean.__file__).parents[1] / "rules" / "INIT101.md"
    status = rule.stat()
    os.utime(rule, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    try:
        assert clean.entry_of(line) != before
    finally:
        os.utime(rule, ns=(status.st_atime_ns, status.st_mtime_ns))
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    assert clean.entry_of(["check", "../net.py"]) != before


def test_what_others_make_of_a_file_is_looked_at_every_time():
    Path("pyproject.toml").write_text("")
    Path("part.py").write_text(BAD.replace("Net", "Part"))
    user = NET.replace("nn.Linear(8, 8)", "Part()").replace("norm(self.fc(x))", "fc(self.norm(x))")
    Path("user.py").write_text(f"from part import Part\n{user}")
    line = ("check", "part.py")
    assert run(*line)[:2] == (0, "loaded\n")
    assert run(*line)[:2] == (0, "loaded\n")
    Path("user.py").unlink()
    assert run(*line)[0] == 1


@pytest.mark.parametrize(
    "line",
    [
        ["check"],
        ["check", "."],
        ["check", "missing.py"],
        ["check", "net.py", "--no-cache"],
        ["check", "net.py", "--select", "INIT1"],
        ["check", "net.py", "--output-format", "json"],
        ["check", "net.py:Net"],
        ["check", "-"],
        ["rule", "INIT101"],
        ["--help"],
        [],
    ],
    ids=" ".join,
)
def test_other_runs_are_not_kept(line):
    assert clean.entry_of(line) is None


def test_a_folder_that_cannot_be_written_is_as_good_as_none():
    Path(".initlint_cache").write_text("a file")
    assert run() == run() == (0, "loaded\n", SAID)


def test_git_does_not_see_what_is_kept():
    run()
    assert (Path(clean.FOLDER) / ".gitignore").read_text() == "*\n"
