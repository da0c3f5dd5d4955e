"""Colour, width, pipes and encodings of what the command line writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from handmade import FOUND, full_report

from initlint.cli.terminal import wants_colour

ROOT = Path(__file__).parents[2]

# Colour


@pytest.mark.parametrize(
    ("environ", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_wants_colour(environ, is_terminal, expected):
    class Stream:
        def isatty(self):
            return is_terminal

    assert wants_colour(Stream(), environ) is expected


@pytest.mark.parametrize("flags", ["", "--show-layers", "--output-format concise"])
def test_colour_is_all_that_force_color_adds(initlint, monkeypatch, flags):
    plain = initlint(f"check net.py:Net {flags}", report=FOUND)
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, coloured, _ = initlint(f"check net.py:Net {flags}")
    monkeypatch.setenv("NO_COLOR", "1")
    assert initlint(f"check net.py:Net {flags}") == plain
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [s.rstrip() for s in stripped.splitlines()] == plain[1].splitlines()


@pytest.mark.parametrize("form", ["json", "github", "gitlab", "sarif"])
def test_machine_formats_have_no_colour(initlint, monkeypatch, form):
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, out, _ = initlint(f"check net.py:Net --output-format {form}", report=full_report())
    assert "\x1b" not in out


# Pipes and encodings, in processes of their own

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from handmade import full_report
from initlint import api
from initlint.cli import main as cli
api.check_all = lambda targets, options: full_report()
sys.exit(cli.main(["check", "net.py:Net"{more}]))
"""


def process(more="", **options):
    script = SCRIPT.format(tests=str(ROOT / "tests"), more=more)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        **options,
    )


def test_closed_pipe_is_no_error(project):
    child = process()
    child.stdout.close()
    err = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait() == 1
    assert "Traceback" not in err
    assert "Broken" not in err
    assert "Found 3 findings" in err


def shell(line, project):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} -m initlint {line}"
    return subprocess.run(
        command, shell=True, cwd=project, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("check pkg -q", 0, ""),
        ("check gone.py", 2, "initlint: error: gone.py: no such file or folder\n"),
        ("check --help", 0, ""),
        ("rule INIT101", 0, ""),
    ],
)
def test_standard_output_that_is_closed_is_no_error(project, line, code, said):
    (project / "pkg/müller.py").write_text("x = 1\n")
    done = shell(f"{line} >&-", project)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.parametrize(("line", "code"), [("check gone.py", 2), ("rule INIT101", 0)])
def test_standard_error_that_is_closed_is_no_error(project, line, code):
    assert shell(f"{line} 2>&-", project).returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_one_line(project):
    done = shell("rule INIT101 >/dev/full", project)
    assert done.returncode == 2
    assert done.stderr == (
        "initlint: error: standard output cannot be written: No space left on device\n"
    )


def test_ascii_terminal_gets_question_marks(project):
    child = process(env={"PYTHONIOENCODING": "ascii"})
    out, err = child.communicate()
    assert child.returncode == 1
    assert b"0.40? the std it needs" in out
    assert b"internal error" not in err


def test_width_of_a_pipe_is_fixed(project):
    narrow = process(', "--show-layers"', env={"COLUMNS": "40"}).communicate()[0]
    assert narrow == process(', "--show-layers"').communicate()[0]


def test_python_m_initlint(project):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "initlint", "rule", "INIT999"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("initlint: error: there is no rule 'INIT999'")
