"""Advice to install something names commands that work: initlint itself is on no index."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from initlint import extras
from initlint.cli import main as cli

ROOT = Path(__file__).parents[2]


def test_nothing_says_to_install_initlint_from_the_index():
    texts = [*ROOT.glob("initlint/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    advice = re.compile(r"pip install ['\"]?initlint\b")
    assert [str(path) for path in texts if advice.search(path.read_text("utf-8"))] == []


def test_the_packages_are_those_of_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {
        re.split(r"[<>=]", each)[0]
        for name in ("torch", "lsp", "plot", "git")
        for each in project["optional-dependencies"][name]
    }
    assert {"torch", "safetensors", "pygls", "matplotlib", "dulwich"} <= needed


def test_torch_is_a_build_without_cuda():
    assert extras.advice("torch").endswith("--index-url https://download.pytorch.org/whl/cpu")


@pytest.mark.parametrize(
    "line,module,package",
    [
        (["profile", "net.py", "--out", "p.png"], "matplotlib.figure", "matplotlib"),
        (["diff", "git:HEAD", "net.py"], "dulwich.repo", "dulwich"),
    ],
)
def test_what_is_missing_is_said_in_one_line(line, module, package, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("x = 1\n")
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(line) == 2
    err = capsys.readouterr().err
    assert err.endswith(f"needs {package}, which is not installed; pip install {package}\n")
    assert err.count("\n") == 1


UNWRITABLE = [
    ["profile", "net.py", "--out", "no/p.html"],
    ["check", "net.py", "--output-file", "no/x"],
    ["check", "net.py", "--output-format", "json=no/x"],
    ["check", "net.py", "--write-baseline", "no/x"],
    ["lock", "net.py", "--file", "no/x"],
]


@pytest.mark.parametrize("line", UNWRITABLE, ids=" ".join)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    line, tmp_path, monkeypatch, capsys
):
    from initlint import api
    from initlint.profile import profiling

    def work(*_, **__):
        raise AssertionError("it has begun to work")

    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("x = 1\n")
    monkeypatch.setattr(api, "check_all", work)
    monkeypatch.setattr(profiling, "profile_target", work)
    assert cli.main(line) == 2
    out, err = capsys.readouterr()
    assert not out and "there is no folder no; make it first" in err and err.count("\n") == 1
