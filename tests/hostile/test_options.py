"""A file is a file, whatever it is called: no name that a tree holds becomes an option."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hostile_nets import DEEPER as NET

from initlint.cli import main as cli

ROOT = Path(__file__).parents[2]
RUNS = 'open("imported", "w").close()\n' + NET
NAMES = (
    *(
        "--trace",
        "--fix",
        "--diff",
        "--no-cache",
        "--config=x.toml",
        "--isolated",
        "--select",
        "-q",
    ),
    *("-j2", "--exit-zero", "--output-format=json", "--help", "-h", "--", "---", "-x", "--version"),
    *("--trace.py", "--arg", "--stdin-filename", "--select"),
)


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """The working directory, with a file that must not be imported."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(RUNS)
    return tmp_path


def entries():
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    return [hook["entry"].split() for hook in hooks]


def test_every_hook_says_where_its_options_end():
    assert all(entry[:2] == ["initlint", "check"] and entry[-1] == "--" for entry in entries())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("entry", entries()[:2], ids=" ".join)
def test_what_a_hook_is_handed_is_read(name, entry, capsys):
    Path(name).write_text("#!/usr/bin/env python\n" + NET)
    done = subprocess.run(
        [sys.executable, "-m", "initlint", *entry[1:], name, "net.py"],
        capture_output=True,
        text=True,
        input="",
        env={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )
    assert not Path("imported").exists()
    fixes = "--fix" in entry
    assert done.returncode == (0 if fixes else 1), done.stderr
    assert ("kaiming" in Path("net.py").read_text()) is fixes
    assert fixes or f"{name}:8:" in done.stdout
    assert ("kaiming" in Path(name).read_text()) is fixes


@pytest.mark.parametrize("name", [name for name in NAMES if name != "--"])
def test_an_option_that_is_also_a_file_is_refused_without_dashes(name, capsys):
    Path(name).write_text(NET)
    assert cli.main(["check", name, "net.py"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"initlint: error: {name} is an option and a file: write ./{name} for")
    assert err.count("\n") == 1
    assert not Path("imported").exists()


def test_dashes_tell_an_option_from_a_file(capsys):
    Path("-q").write_text(NET)
    assert cli.main(["check", "-q", "--", "net.py"]) == 1
    assert capsys.readouterr().err == ""
    assert cli.main(["check", "--", "-q"]) == 1
    assert "-q:7:" in capsys.readouterr().out
    assert cli.main(["check", "./-q"]) == 1


def test_a_file_called_as_the_standard_input(capsys, monkeypatch):
    Path("-").write_text(NET)
    assert cli.main(["check", "./-"]) == 1
    assert "./-:7:" in capsys.readouterr().out
    assert cli.main(["check", "."]) == 1
    assert "./-:" not in capsys.readouterr().out
    for line in (["-"], ["--", "-"], ["--fix", "--", "-", "net.py"]):
        assert cli.main(["check", *line]) == 2
        assert "- is the standard input and a file here: write ./-" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["apply", "rule"])
def test_other_commands_refuse_as_well(command, capsys):
    Path("--force").write_text("")
    assert cli.main([command, "--force", "net.py:Net"]) == 2
    assert "--force is an option and a file" in capsys.readouterr().err
    assert not Path("imported").exists()


def test_options_after_the_dashes_are_missing_files(capsys):
    assert cli.main(["check", "--", "--select", "net.py"]) == 2
    err = capsys.readouterr().err
    assert "--select: no such file or folder; options go before --" in err


@pytest.mark.parametrize("paths", ['["--trace", "net.py"]', '["-"]', '["--trace"]', '["-q"]'])
def test_paths_of_settings_are_paths(paths, capsys, monkeypatch):
    for name in ("--trace", "-", "-q"):
        Path(name).write_text(NET)
    Path("pyproject.toml").write_text(f"[tool.initlint]\npaths = {paths}\n")
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["check"]) == 1
    assert not Path("imported").exists()
    assert ":7:" in capsys.readouterr().out
