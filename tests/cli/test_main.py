"""The command line with an api made by hand: exit codes and what goes to which stream."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from handmade import (
    CLEAN,
    DIFF,
    FAILED_TARGET,
    FILES,
    FOUND,
    PASSED_OVER,
    finding,
)

from initlint.cli import main as cli
from initlint.output import FORMATS
from initlint.records import InitlintError, Report

# Exit codes

EXITS = [
    ("", {}, 0),
    ("--help", {}, 0),
    ("-h", {}, 0),
    ("--version", {}, 0),
    ("check --help", {}, 0),
    ("check net.py:Net", {"report": CLEAN}, 0),
    ("check net.py:Net", {"report": FOUND}, 1),
    ("check net.py:Net --exit-zero", {"report": FOUND}, 0),
    ("check net.py:Net -q", {"report": FOUND}, 1),
    ("check net.py:Net --statistics", {"report": FOUND}, 1),
    ("check net.py:Net --show-layers", {"report": CLEAN}, 0),
    ("check net.py:Net", {"report": Report()}, 0),
    *((f"check net.py:Net --output-format {form}", {"report": FOUND}, 1) for form in FORMATS),
    *((f"check net.py:Net --output-format {form}", {"report": CLEAN}, 0) for form in FORMATS),
    # What was named and could not be analysed
    ("check net.py:Net", {"report": Report(unanalysed=(FAILED_TARGET,))}, 2),
    ("check net.py:Net other.py:A", {"report": Report(CLEAN.layers, (), (FAILED_TARGET,))}, 2),
    ("check net.py:Net", {"report": Report(FOUND.layers, FOUND.findings, (FAILED_TARGET,))}, 2),
    ("check net.py:Net --exit-zero", {"report": Report(unanalysed=(FAILED_TARGET,))}, 2),
    # What was merely passed over
    ("check --trace net.py", {"report": Report(CLEAN.layers, (), (PASSED_OVER,))}, 0),
    ("check --trace net.py", {"report": Report(FOUND.layers, FOUND.findings, (PASSED_OVER,))}, 1),
    ("check --trace net.py", {"report": Report(unanalysed=(PASSED_OVER,))}, 2),
    # Repair
    ("check net.py:Net --fix", {"report": CLEAN, "files": FILES}, 0),
    ("check net.py:Net --fix", {"report": FOUND, "files": FILES}, 1),
    ("check net.py:Net --fix --exit-zero", {"report": FOUND, "files": FILES}, 0),
    ("check net.py:Net --fix", {"report": Report(unanalysed=(FAILED_TARGET,))}, 2),
    ("check net.py:Net --diff", {"diff": DIFF, "files": FILES}, 1),
    ("check net.py:Net --diff", {"report": FOUND}, 0),
    ("check net.py:Net --diff --exit-zero", {"diff": DIFF, "files": FILES}, 0),
    ("check net.py:Net --diff", {"report": Report(unanalysed=(FAILED_TARGET,))}, 2),
    # Other commands
    ("apply net.py:Net", {"report": CLEAN}, 0),
    ("rule INIT101", {}, 0),
    ("rule default-before-rectifier --output-format json", {}, 0),
    ("rule --all --output-format markdown", {}, 0),
    # Requests that make no sense
    ("chekc net.py:Net", {}, 2),
    ("check net.py:Net --fixx", {}, 2),
    ("check net.py:Net --output-format yaml", {}, 2),
    ("check net.py:Net --select INIT9", {}, 2),
    ("check net.py:Net --ignore nonsense", {}, 2),
    ("check net.py:Net --arg width", {}, 2),
    ("check net.py:Net --input 1,x", {}, 2),
    ("check net.py:Net --statistics --output-format json", {}, 2),
    ("apply", {}, 2),
    ("apply a:A b:B", {}, 2),
    ("apply net.py:Net --seed x", {}, 2),
    ("rule", {}, 2),
    ("rule INIT101 --all", {}, 2),
    ("rule INIT999", {}, 2),
    # What goes wrong
    ("check net.py:Net", {"error": InitlintError("net.py: no such file")}, 2),
    ("check net.py:Net --fix", {"error": InitlintError("net.py: is read-only")}, 2),
    ("apply net.py:Net", {"error": InitlintError("net.py: no such file")}, 2),
    ("check net.py:Net", {"error": ZeroDivisionError("division by zero")}, 2),
    ("check net.py:Net", {"error": RecursionError()}, 2),
    ("check net.py:Net", {"error": KeyboardInterrupt()}, 130),
]


@pytest.mark.parametrize(("line", "answer", "expected"), EXITS)
def test_exit_code(initlint, line, answer, expected):
    code, _, err = initlint(line, **answer)
    assert code == expected
    if code == 2:
        assert "initlint: " in err
        assert "Traceback" not in err


def test_version_is_all_that_is_done(initlint):
    for line in ("-V", "--version", "--version check"):
        code, out, err = initlint(line)
        assert (code, err) == (0, "")
        assert out.startswith("initlint ") and out.count("\n") == 1


def test_run_exits_with_the_code(fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    with pytest.raises(SystemExit) as exit:
        cli.run(["rule"])
    assert exit.value.code == 2


def test_a_process_without_torch_is_left_at_once_and_in_order():
    code = (
        "import atexit; atexit.register(print, 'last'); "
        "from initlint.cli.main import run; run({!r})"
    )
    for line, expected in ((["rule", "INIT101"], 0), (["rule"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code.format(line)], capture_output=True, text=True, check=False
        )
        assert done.returncode == expected
        assert done.stdout.endswith("last\n")


ONE_LINE = [
    ("check gone.py", "gone.py: no such file or folder"),
    ("check --config gone.toml", "gone.toml: no such file; --config names a TOML file with"),
    ("check --config pkg", "pkg: a folder; --config names a TOML file with [tool.in"),
    (
        "check x --select F401",
        "--select F401: there is no such rule or group; F401 is a rule of a",
    ),
    ("check x --ignore E501,INIT1", "--ignore E501: there is no such rule or group; E501 is"),
    ("check --config pyproject.toml --isolated", "--config and --isolated exclude each other"),
    ("chekc", "No such command 'chekc'"),
    ("check x --fixx", "No such option"),
    ("check x --select INIT9", "--select INIT9: there is no such rule or group; did you mean"),
    ("check net.py:Net --arg width", "--arg width: write name=value, as --arg width=64"),
    ("check net.py:Net --input 1,x", "--input 1,x: 'x' is not a size"),
    ("check x --statistics --output-format sarif", "--statistics has no effect here: sarif lists"),
    ("check x --unsafe-fixes", "--unsafe-fixes has no effect here: give --fix or --diff, too"),
    ("check x --fix --diff", "--fix has no effect here: --diff only shows what it would write"),
    (
        "check x --prune-baseline --isolated",
        "--prune-baseline has no effect here: give --baseline FILE, or write baseline =",
    ),
    ("check x --style apply", "--style has no effect here: give --fix or --diff, too"),
    ("check x --bias zeros", "--bias has no effect here: give --fix or --diff, too"),
    ("check x --arg n=1", "--arg has no effect here: no model is built: name one"),
    ("check - --input 1,3", "--input has no effect here: no model is built: name one"),
    ("check x --timeout 5", "--timeout has no effect here: no model is built: name one"),
    ("check x --diff --output-format json", "--output-format has no effect here: --diff prints"),
    ("check x --diff --show-layers", "--show-layers has no effect here: --diff prints a patch"),
    ("check x --diff --statistics", "--statistics has no effect here: --diff prints a patch"),
    (
        "check x --show-layers --output-format github",
        "--show-layers has no effect here: github has no",
    ),
    ("check x --stdin-filename net.py", "--stdin-filename has no effect here: give the target -"),
    ("net.py", "there is no command net.py; did you mean `initlint check net.py`?"),
    ("net.py:Net --fix", "there is no command net.py:Net; did you mean `initlint check net.py:"),
    ("pkg", "there is no command pkg; did you mean `initlint check pkg`?"),
    ("rule", "name one rule by code or name, or give --all or --list"),
    ("rule --all --list", "name one rule by code or name, or give --all or --list"),
    ("rule --list --output-format json", "--list has no effect here: --all has the format json"),
    ("check x --exit-non-zero-on-fix", "--exit-non-zero-on-fix has no effect here: give --fix"),
    ("check x --show-files --fix", "--fix has no effect here: --show-files lists files"),
    ("check x --show-settings --statistics", "--statistics has no effect here: --show-settings l"),
    ("check x --diff --output-file o.txt", "--output-file has no effect here: --diff prints a"),
    ("check x --add-noqa --ignore-noqa", "--ignore-noqa has no effect here: --add-noqa writes"),
    ("check x --exclude [z-a]", '--exclude "[z-a]": the range z-a is empty; write a-z'),
    ("check x --extend-select INIT9", "--extend-select INIT9: there is no such rule or group"),
    ("check net.py:Net --output-file gone/o.txt", "--output-file gone/o.txt: there is no folder"),
    ("rule INIT1O1", "there is no rule 'INIT1O1'"),
    ("check x --ignore ALL", "--ignore leaves no rule to check with"),
    ("check x --select INIT1 --ignore INIT1", "--ignore leaves no rule to check with"),
    ("check x --isolated --config pyproject.toml", "--config and --isolated exclude each other"),
    ("diff x pkg --isolated --config pyproject.toml", "--config and --isolated exclude each other"),
    ("check x --output-file=", "--output-file names no file"),
    ("check x --baseline=", "--baseline names no file"),
    ("check x --write-baseline=", "--write-baseline names no file"),
    ("lock x --file=", "--file names no file"),
    ("profile x --out=", "--out names no file"),
    ("check x --add-noqa=", "--add-noqa= has no reason: write --add-noqa=REASON"),
    (
        "check x --show-files --select INIT1",
        "--select has no effect here: --show-files lists files",
    ),
    ("check x --show-files --rules pkg", "--rules has no effect here: --show-files lists files"),
    ("check x --show-files --ignore-noqa", "--ignore-noqa has no effect here: --show-files lists"),
    ("check x --show-files --show-settings", "--show-files has no effect here: --show-settings"),
    ("check net.py:Net --exclude old", "--exclude has no effect here: no file or folder is read"),
    ("check x --ignore-baseline --isolated", "--ignore-baseline has no effect here: no baseline"),
    ("check x --ignore-baseline --baseline b", "--ignore-baseline has no effect here: --baseline"),
    ("diff x pkg --arg n=1", "--arg has no effect here: no model is built: name one (net.py:Net)"),
    ("diff git:HEAD pkg --input 1,3", "--input has no effect here: no model is built: name one"),
    ("lock x --timeout 5", "--timeout has no effect here: no model is built: name one"),
    ("lock -", "initlint lock reads files and folders, not the standard input"),
    ("profile -", "initlint profile takes files, folders and models, not standard input"),
]


@pytest.mark.parametrize(("line", "reason"), ONE_LINE)
def test_refusal_is_one_line(initlint, line, reason):
    code, out, err = initlint(line)
    assert (code, out) == (2, "")
    assert err.startswith(f"initlint: error: {reason}")
    assert err.count("\n") == 1


WITH_EFFECT = [
    "check x --fix --unsafe-fixes --style apply --bias zeros",
    "check x --diff --style method",
    "check x --distribution uniform --mode fan_out",
    "check --trace x --arg n=1 --input 1,3 --timeout 5",
    "check net.py:Net --arg n=1 --input 1,3 --timeout 0",
    "check x --show-layers --output-format json",
    "check x --show-layers --output-format concise",
]


@pytest.mark.parametrize("line", WITH_EFFECT)
def test_options_that_have_an_effect_are_accepted(initlint, line):
    assert "no effect" not in initlint(line)[2]


def test_usage_errors_say_where_help_is(initlint):
    assert initlint("check --fixx")[2].endswith("(see initlint check --help)\n")


def test_failed_target_is_one_line(initlint):
    code, out, err = initlint("check net.py:Net", report=Report(unanalysed=(FAILED_TARGET,)))
    assert (code, out) == (2, "")
    assert err == "initlint: error: net.py:3: forward raises NameError: no y (Net)\n"


def test_error_with_line_ends_is_one_line(initlint):
    _, _, err = initlint("check net.py:Net", error=InitlintError("net.py:\n  no such\n  file"))
    assert err == "initlint: error: net.py: no such file\n"


def test_internal_error_is_one_line(initlint):
    code, out, err = initlint("check net.py:Net", error=KeyError("two\nlines"))
    assert (code, out) == (2, "")
    assert err == (
        "initlint: internal error: KeyError: 'two\\nlines' "
        "(please report; INITLINT_DEBUG=1 shows the traceback)\n"
    )


def test_internal_error_with_traceback(initlint, monkeypatch):
    monkeypatch.setenv("INITLINT_DEBUG", "1")
    _, _, err = initlint("check net.py:Net", error=KeyError("x"))
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("initlint: internal error: KeyError")


# Streams


def test_findings_on_stdout_all_else_on_stderr(initlint):
    report = Report(FOUND.layers, FOUND.findings, (PASSED_OVER,))
    _, out, err = initlint("check --trace net.py --output-format concise", report=report)
    assert [line.split()[1] for line in out.splitlines()] == ["INIT101", "INIT101", "INIT106"]
    assert err.splitlines() == [
        "initlint: not analysed: net.py:Decoder: needs width; give --arg width=VALUE",
        "Found 3 findings in 1 model; 2 fixable with --fix, "
        "1 more fixable with --fix --unsafe-fixes (may override a deliberate choice); "
        "1 not analysed.",
    ]


def test_quiet_leaves_findings(initlint):
    report = Report(FOUND.layers, FOUND.findings, (PASSED_OVER,))
    loud = initlint("check --trace net.py", report=report)
    quiet = initlint("check --trace net.py -q", report=report)
    assert quiet == (1, loud[1], "initlint: 1 not analysed (run without -q for the reasons)\n")
    assert initlint("check net.py:Net -q", report=FOUND) == (1, quiet[1], "")


def test_quiet_still_says_what_failed(initlint):
    for gap in (FAILED_TARGET, PASSED_OVER):
        _, _, err = initlint("check net.py:Net -q", report=Report(unanalysed=(gap,)))
        assert err.startswith("initlint: error: net.py")


def test_clean_prints_only_a_summary(initlint):
    assert initlint("check net.py:Net") == (0, "", "No findings in 1 weight of 1 model.\n")


@pytest.mark.parametrize("form", ["json --show-layers", "gitlab", "sarif", "rdjson"])
def test_machine_formats_are_alone_on_stdout(initlint, form):
    report = Report(FOUND.layers, FOUND.findings, (PASSED_OVER,))
    line = f"check --trace net.py --output-format {form}"
    json.loads(initlint(line, report=report)[1])


def test_json_of_a_failed_target_says_why(initlint):
    report = Report(unanalysed=(FAILED_TARGET,))
    _, out, err = initlint("check net.py:Net --output-format json", report=report)
    assert json.loads(out)["unanalysed"] == [
        {"target": FAILED_TARGET.target, "reason": FAILED_TARGET.reason}
    ]
    assert err.count("\n") == 1


def test_sarif_lists_the_rules_that_were_selected(initlint):
    _, out, _ = initlint("check net.py:Net --select INIT101,INIT103 --output-format sarif")
    listed = json.loads(out)["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in listed] == ["INIT101", "INIT103"]


def test_paths_for_code_hosts_come_from_their_checkout(initlint, monkeypatch, project):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project))
    monkeypatch.chdir(project / "pkg")
    moved = finding(site=replace(finding().site, path="müller.py"))
    _, out, _ = initlint("check net:Net --output-format github", report=Report(findings=(moved,)))
    assert "file=pkg/müller.py," in out


def test_show_layers_comes_before_findings(initlint):
    _, out, _ = initlint("check net.py:Net --show-layers", report=FOUND)
    assert out.startswith("net.py:Net\n")
    assert out.index("recommended") < out.index("INIT101")


def test_statistics_instead_of_findings(initlint):
    _, out, _ = initlint("check net.py:Net --statistics", report=FOUND)
    assert out == "2  INIT101  default-before-rectifier\n1  INIT106  explicit-scale-off\n"


def test_fix_counts_on_stderr(initlint):
    _, out, err = initlint("check net.py:Net --fix", files=FILES)
    assert out == ""
    assert err == "Fixed 2 findings in 1 file.\nNo findings in 1 weight of 1 model.\n"


def test_fix_reports_what_remains(initlint):
    _, out, err = initlint("check net.py:Net --fix", report=FOUND)
    assert out.count(": INIT106 ") == 1
    assert err.startswith("Fixed nothing.\n3 findings remain in 1 model; 2 fixable with --fix, ")
    assert err.endswith("with --fix --unsafe-fixes (may override a deliberate choice).\n")
    left = Report(FOUND.layers, FOUND.findings[2:])
    _, _, err = initlint("check net.py:Net --fix", report=left, files=FILES)
    assert err.startswith("Fixed 2 findings in 1 file.\n1 finding remains in 1 model; 1 fixable ")


def test_diff_alone_on_stdout(initlint):
    code, out, err = initlint("check net.py:Net --diff", diff=DIFF, files=FILES, report=FOUND)
    assert (code, out) == (1, DIFF)
    assert err == (
        "Would fix 2 findings in 1 file; "
        "1 more with --unsafe-fixes (may override a deliberate choice).\n"
    )
    assert initlint("check net.py:Net --diff -q") == (1, DIFF, "")


def test_diff_of_nothing(initlint):
    assert initlint("check net.py:Net --diff") == (0, "", "Would fix nothing.\n")


def test_diff_says_what_else_there_is(initlint):
    report = Report(FOUND.layers, FOUND.findings[2:], (PASSED_OVER,))
    _, _, err = initlint("check --trace net.py --diff", report=report)
    said = "1 finding with --unsafe-fixes (may override a deliberate choice); 1 not analysed."
    assert err.splitlines()[-1] == f"Would fix nothing; {said}"
    _, _, err = initlint("check --trace net.py --diff -q", report=report)
    assert err == "initlint: 1 not analysed (run without -q for the reasons)\n"
