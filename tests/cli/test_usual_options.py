"""Options that a user of ruff looks for: files, settings, colours, suppressions, exit codes."""

import json
import sys
from pathlib import Path

import pytest
from handmade import FILES, FOUND

from initlint import __version__
from initlint.cli import main as cli
from initlint.cli import terminal
from initlint.judge import load
from initlint.project import config

NET = """from torch import nn

layers = [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)]  # noqa: INIT101
net = nn.Sequential(*layers)
"""


@pytest.fixture(autouse=True)
def no_colour():
    yield
    terminal.set_colour("auto")


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs `initlint` beside net.py; gives code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)

    def command(*words):
        config._nearest.cache_clear()
        code = cli.main(list(words))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return command


def test_show_files(run):
    Path("old").mkdir()
    Path("old/a.py").touch()
    Path("pyproject.toml").write_text('[tool.initlint]\nmodels = ["net.py:net"]\npaths = ["."]\n')
    assert run("check", "--show-files") == (0, "net.py:net\nnet.py\nold/a.py\n", "")
    assert run("check", "--show-files", "--exclude", "old,x.py", ".")[1] == "net.py\n"
    code, out, err = run("check", "--show-files", "gone.py", "net.py")
    assert (code, out) == (2, "net.py\n") and "gone.py: no such file" in err


def test_show_settings(run):
    Path("sub").mkdir()
    Path("sub/a.py").touch()
    Path("sub/pyproject.toml").write_text('[tool.initlint]\nignore = ["INIT101"]\n')
    Path("pyproject.toml").write_text(
        '[tool.initlint]\nstyle = "method"\nselect = ["INIT1"]\n'
        '[tool.initlint.per-file-ignores]\n"tests/**" = ["INIT1"]\n'
    )
    code, out, _ = run("check", "--show-settings")
    first, second = out.split(str(Path("sub/pyproject.toml").resolve()))
    assert code == 0 and first.startswith(str(Path("pyproject.toml").resolve()))
    assert '  style = "method"\n' in first and '  select = ["INIT1"]\n' in first
    assert '  per-file-ignores = {"tests/**" = ["INIT1"]}\n' in first
    assert "files: 1 (net.py)" in first and "files: 1 (sub/a.py)" in second
    assert "INIT101" in first.partition("rules that run")[2] and "INIT101," not in second
    assert run("check", "--show-settings", "--isolated")[1].startswith("no settings file: the def")


def test_rule_list(run):
    code, out, _ = run("rule", "--list")
    lines = out.splitlines()
    assert code == 0 and [line.split()[0] for line in lines] == list(load().cards)
    assert all(card.name in line and card.summary in line
               for card, line in zip(load().cards.values(), lines, strict=True))  # fmt: skip


def test_version(run):
    assert run("-V") == run("--version") == (0, f"initlint {__version__}\n", "")


def test_ignore_noqa(run):
    assert run("check", "net.py")[0] == 0
    code, out, _ = run("check", "--ignore-noqa", "--output-format", "concise", "net.py")
    assert code == 1 and out.startswith("net.py:3:")


def test_a_comment_that_is_ignored_is_not_called_unused(run):
    err = run("check", "--ignore-noqa", "net.py")[2]
    assert err.count("\n") == 1 and err.startswith("Found ")


def test_a_reason_without_its_equals_sign_writes_nothing(run):
    before = Path("net.py").read_text()
    code, _, err = run("check", "net.py", "--add-noqa", "as published")
    assert code == 2 and "a reason follows =: --add-noqa=REASON" in err
    assert Path("net.py").read_text() == before


def test_extend_select_adds_to_the_default(initlint, fake):
    initlint("check net.py:Net")
    usual = fake.asked["options"].codes
    initlint("check net.py:Net --extend-select INIT101")
    assert fake.asked["options"].codes == usual
    initlint("check net.py:Net --select INIT102 --extend-select INIT101")
    assert fake.asked["options"].codes == {"INIT101", "INIT102"}


def test_exit_non_zero_on_fix(initlint):
    assert initlint("check net.py:Net --fix", files=FILES)[0] == 0
    assert initlint("check net.py:Net --fix --exit-non-zero-on-fix", files=FILES)[0] == 1
    # One of the two would have no effect.
    line = "check net.py:Net --fix --exit-non-zero-on-fix --exit-zero"
    assert initlint(line, files=FILES)[0] == 2
    assert initlint("check net.py:Net --fix --exit-non-zero-on-fix", files=())[0] == 0


@pytest.mark.parametrize("environ", ["NO_COLOR", "FORCE_COLOR"])
def test_color(initlint, monkeypatch, environ):
    monkeypatch.setenv(environ, "1")
    line = "check net.py:Net --output-format concise --color"
    assert "\x1b[" in initlint(f"{line} always", report=FOUND)[1]
    assert "\x1b[" not in initlint(f"{line} never", report=FOUND)[1]


def test_output_file(initlint, project):
    line = "check net.py:Net --output-format json --output-file out.json"
    code, out, err = initlint(line, report=FOUND)
    assert (code, out) == (1, "") and err.startswith("Found 3 findings")
    assert len(json.loads((project / "out.json").read_text())["findings"]) == 3
    (project / "link.json").symlink_to("elsewhere.json")
    code, _, err = initlint("check net.py:Net --output-file link.json", report=FOUND)
    assert code == 2 and "is a symbolic link, which is not followed" in err
    assert not (project / "elsewhere.json").exists()


def test_output_format_of_the_settings(run):
    Path("pyproject.toml").write_text('[tool.initlint]\noutput-format = "json"\n')
    assert json.loads(run("check", "net.py")[1])["findings"] == []
    assert run("check", "net.py", "--output-format", "concise")[1] == ""
    # A patch is one whatever the settings say; counts need a list for people.
    assert run("check", "net.py", "--diff")[0] == 0
    assert "--statistics has no effect here: json lists" in run("check", "--statistics")[2]


def test_the_server_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygls", None)
    for name in [n for n in sys.modules if n.startswith(("pygls.", "initlint.server"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", None)
    code, out, err = run("server")
    assert (code, out) == (2, "")
    said = "server needs pygls, which is not installed; pip install pygls"
    assert err == f"initlint: error: {said}\n"
