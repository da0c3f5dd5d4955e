"""Comments that are not understood are told of in files without models, too."""

import pytest

from initlint.cli.main import main

SPOKEN = {
    "z = 2  # noqa: INIT-101": "is not understood",
    "z = 2  # initlint: ignore INIT101": "is not understood",
    "z = 2  # initlint ignore[INIT101]": "is not understood",
    "z = 2  # initlint: ignore[default-before-rectifer]": "did you mean default-before-rectifier?",
    "z = 2  # noqa: INIT999": "there is no such rule",
}
SILENT = ["z = 2  # noqa", "z = 2  # noqa: F401", "z = 2  # noqa: INIT101", "z = '# noqa: INIT999'"]


@pytest.mark.parametrize("line", SPOKEN)
@pytest.mark.parametrize("name", ["net.py", "-"])
def test_is_told(tmp_path, monkeypatch, capsys, line, name):
    monkeypatch.chdir(tmp_path)
    import io
    import sys

    (tmp_path / "net.py").write_text(f"# begin\n{line}\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"# begin\n{line}\n".encode())))
    assert main(["check", name]) == 0
    err = capsys.readouterr().err
    assert SPOKEN[line] in err and ":2: " in err


@pytest.mark.parametrize("line", SILENT)
def test_is_not_told(tmp_path, monkeypatch, capsys, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(f"# begin\n{line}\n")
    assert main(["check", "net.py"]) == 0
    assert capsys.readouterr().err == "Found no weights to judge.\n"


def test_also_beside_files_with_models(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x = 1  # initlint: ignore INIT101\n")
    (tmp_path / "b.py").write_text("from torch import nn\nnet = nn.Linear(3, 3)\n")
    main(["check"])
    assert "a.py:1: comment is not understood" in capsys.readouterr().err


@pytest.mark.parametrize("pattern", ["[", "a[", "[ab", "src/[a/b]", "[!"])
def test_a_pattern_with_an_open_bracket_is_an_error(tmp_path, monkeypatch, capsys, pattern):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("x = 1\n")
    (tmp_path / "pyproject.toml").write_text(f'[tool.initlint]\nextend-exclude = ["{pattern}"]\n')
    assert main(["check"]) == 2
    assert "the bracket [ is not closed; write [[] for" in capsys.readouterr().err
    assert main(["check", "--isolated", "--exclude", pattern]) == 2


@pytest.mark.parametrize("pattern", ["[[]", "[a]b", "]", "[!]]", "a[b-c]*"])
def test_closed_brackets_are_none(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f'[tool.initlint]\nextend-exclude = ["{pattern}"]\n')
    assert main(["check"]) == 0
