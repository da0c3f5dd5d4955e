"""`initlint check --watch`: what is a change, what is said, and how it ends. No test waits."""

import json
import os
from pathlib import Path

import pytest

from initlint.cli import main as cli
from initlint.cli import terminal, watch
from initlint.project import config
from initlint.records import InitlintError

NET = """from torch import nn

net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
"""


@pytest.fixture
def watching(tmp_path, monkeypatch, capfd):
    """Runs --watch; each step is done while it pauses, and after the last one Ctrl-C is pressed."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    config.forget()
    turns = []

    def ran(line, *steps):
        left = list(steps)

        def pause(seconds):
            turns.append(capfd.readouterr())
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(watch.watch, "__defaults__", (pause,))
        code = cli.main(["check", "--watch", *line.split()])
        return code, turns, capfd.readouterr()

    return ran


def touched(name, text):
    """Write a file with a time of change that no earlier one had."""

    def step():
        times = [Path(name).stat().st_mtime_ns] if Path(name).exists() else [0]
        Path(name).write_text(text)
        os.utime(name, ns=(times[0] + 10**9,) * 2)

    return step


def nothing():
    pass


def test_it_checks_at_once_and_ends_by_an_interrupt(watching):
    code, turns, last = watching("net.py --output-format concise")
    assert code == terminal.INTERRUPTED == 130
    assert len(turns) == 1 and "net.py:3:" in turns[0].out and "INIT101" in turns[0].out
    assert turns[0].err.endswith("initlint: watching 1 file; Ctrl-C ends.\n")
    assert (last.out, last.err.strip()) == ("", "")


def test_it_checks_again_only_after_a_change(watching):
    good = NET.replace("nn.ReLU()", "nn.Identity()")
    _, turns, _ = watching("net.py", nothing, nothing, touched("net.py", good), nothing)
    assert [bool(turn.out or turn.err) for turn in turns] == [True, False, False, True, False]
    assert "INIT101" in turns[0].out and "INIT101" not in turns[3].out


def test_a_file_of_the_same_time_and_another_size_is_changed(watching):
    def longer():
        time = Path("net.py").stat().st_mtime_ns
        Path("net.py").write_text(f"{NET}\n")
        os.utime("net.py", ns=(time, time))

    _, turns, _ = watching("net.py", longer)
    assert "INIT101" in turns[1].out


def test_new_and_deleted_files_of_a_folder_count(watching):
    _, turns, _ = watching(".", touched("more.py", NET), Path("net.py").unlink)
    one, both, other = (turn.out.count("INIT101") for turn in turns)
    assert one and both == 2 * one and other == one
    assert "watching 2 files" in turns[1].err


def test_the_settings_are_read_again(watching):
    off = '[tool.initlint]\nignore = ["INIT101"]\n'
    _, turns, _ = watching(".", touched("pyproject.toml", off), touched("pyproject.toml", ""))
    assert ["INIT101" in turn.out for turn in turns] == [True, False, True]


def test_a_settings_file_that_is_being_written_is_said_once(watching):
    Path("pyproject.toml").write_text("[tool.initlint]\n")
    steps = (touched("pyproject.toml", "[tool.initlint]\nselect = [\n"), nothing)
    _, turns, _ = watching("net.py", *steps, touched("pyproject.toml", "[tool.initlint]\n"))
    assert "pyproject.toml:" in turns[1].err and "initlint: error:" in turns[1].err
    assert turns[2].err == "" and "INIT101" in turns[3].out


def test_a_missing_file_is_said_and_awaited(watching):
    _, turns, _ = watching("gone.py", nothing, touched("gone.py", NET))
    assert "gone.py: no such file" in turns[0].err
    assert turns[1].err == "" and "INIT101" in turns[2].out


def test_reports_are_written_anew(watching):
    seen = []
    good = NET.replace("nn.ReLU()", "nn.Identity()")

    def look():
        seen.append(bool(json.loads(Path("a.json").read_text())["findings"]))

    watching("net.py -q --output-format json=a.json", look, touched("net.py", good), look)
    assert seen == [True, False]


def test_quiet_says_nothing_of_itself(watching):
    assert watching("net.py -q")[1][0].err == ""


def test_a_request_without_sense_ends_at_once(watching):
    assert watching("net.py --select NOPE")[0] == 2
    with pytest.raises(InitlintError, match="--config names a TOML file"):
        watch.watch(cli_request(config="no.toml"), lambda request: 0)


def cli_request(**options):
    from initlint.cli.request import Check

    return Check(targets=("net.py",), watch=True, **options)


@pytest.mark.parametrize(
    "option",
    [
        *("--fix", "--diff", "--exit-zero", "--show-files", "--show-settings", "--prune-baseline"),
        *("--write-baseline a.json", "--add-noqa"),
    ],
)
def test_options_that_write_or_list_are_refused(watching, option):
    code, _, last = watching(f"net.py {option}")
    name = option.split()[0]
    assert code == 2
    assert (
        last.err
        == f"initlint: error: {name} has no effect here: --watch reports, again and again\n"
    )


def test_standard_input_is_refused(watching):
    code, _, last = watching("-")
    assert code == 2 and "--watch has no effect here: standard input ends" in last.err
