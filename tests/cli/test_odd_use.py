"""Settings and options that would do nothing, or harm: one line, and exit code 2."""

import pytest

from initlint.cli.main import main

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


@pytest.mark.parametrize(
    "table",
    ["initlint", "InitLint", "init-lint", "init_lint", "tool.init-lint", "tool.Initlint"],
)
def test_settings_in_the_wrong_table(here, capsys, table):
    (here / "pyproject.toml").write_text(f'[{table}]\nignore = ["INIT1"]\n')
    assert main(["check", "net.py"]) == 2
    said = f"pyproject.toml: [{table}] is not read; settings are written below [tool.initlint]"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        '[tool.other]\ninit-lint = "x"\n',
        '[project]\nname = "init-lint"\n',
        "[tool.init]\nlint = true\n",
        '# [initlint]\n[tool.ruff.lint]\nexternal = ["INIT"]\n',
    ],
)
def test_tables_of_others_are_left_alone(here, text):
    (here / "pyproject.toml").write_text(text)
    assert main(["check", "net.py"]) == 1


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("select = []", "select: selects no rule; leave it out"),
        ('exclude = ["a\\\\b"]', "folders are separated by /"),
        ('models = ["net.Net"]', "write path/net.py:Net or package.module:Net"),
        ('paths = ["../x"]', "is outside of"),
    ],
)
def test_settings_that_would_do_nothing(here, capsys, setting, said):
    """They are read where targets are named, too."""
    (here / "pyproject.toml").write_text(f"[tool.initlint]\n{setting}\n")
    assert main(["check", "net.py"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--select=", "--select names nothing"),
        ("--select ,", "--select names nothing"),
        ("--ignore=", "--ignore names nothing"),
        ("--extend-select=,,", "--extend-select names nothing"),
        ("--exclude=", "--exclude names nothing"),
        ("--exclude a\\b", "folders are separated by /"),
        ("--fix --exit-zero --exit-non-zero-on-fix", "--exit-zero exits with 0"),
        ("--output-file -", "--output-file -: is no name of a file"),
        ("--output-format json=-", "--output-format -: is no name of a file"),
        ("--write-baseline -", "--write-baseline -: is no name of a file"),
        ("--add-noqa=INIT101", "give --select INIT101 --add-noqa"),
        ("--add-noqa=default-before-rectifier", "the value is a reason"),
    ],
)
def test_options_that_would_do_nothing(here, capsys, options, said):
    assert main(["check", "net.py", *options.split()]) == 2
    assert said in capsys.readouterr().err
    assert (here / "net.py").read_text() == NET


@pytest.mark.parametrize(
    "line",
    [
        "check net.py --output-file net.py",
        "check net.py --output-format json=net.py",
        "check net.py --output-format json=a.json --output-format sarif=new.py",
        "check net.py --write-baseline net.py",
        "check net.py --output-file b.ipynb",
        "lock net.py --file net.py",
    ],
)
def test_a_report_never_takes_the_place_of_source(here, capsys, line):
    assert main(line.split()) == 2
    assert "is a name of source code; give another one" in capsys.readouterr().err
    assert (here / "net.py").read_text() == NET
    assert sorted(path.name for path in here.iterdir()) == ["net.py"]


def reasons(capsys):
    """The last column of the table of layers, by layer."""
    rows = [line.split("  ") for line in capsys.readouterr().out.splitlines() if "×64" in line]
    return {row[0].strip(): row[-1].strip() for row in rows}


@pytest.mark.parametrize(
    ("change", "options", "settings", "said"),
    [
        ("nn.Linear(64, 64)  # noqa: INIT101", "", "", "a comment silences INIT101"),
        ("nn.Linear(64, 64)  # noqa", "", "", "a comment silences INIT101"),
        ("", "--ignore INIT101", "", "INIT101 is off here"),
        ("", "--ignore ALL", "", "INIT101 is off here"),
        ("", "--select INIT2", "", "INIT101 is off here"),
        ("", "", 'per-file-ignores = {"net.py" = ["INIT1"]}', "INIT101 is off here"),
        ("", "--baseline known.json", "", "INIT101 is known (baseline)"),
    ],
)
def test_the_table_says_that_a_finding_was_not_reported(
    here, monkeypatch, capsys, change, options, settings, said
):
    """Not that the layer was right."""
    monkeypatch.setenv("COLUMNS", "180")
    main(["check", "net.py", "--isolated", "--write-baseline", "known.json"])
    first = "self.b = nn.Linear(64, 64)"
    (here / "net.py").write_text(NET.replace(first, f"self.b = {change}" if change else first))
    (here / "pyproject.toml").write_text(f"[tool.initlint]\n{settings}\n")
    capsys.readouterr()
    assert main(["check", "net.py", "--show-layers", *options.split()]) == 0
    table = reasons(capsys)
    assert table["b"] == said
    assert table["a"] == "it sees the data"


def test_what_is_reported_has_no_reason(here, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "180")
    assert main(["check", "net.py", "--show-layers", "--ignore", "INIT2"]) == 1
    assert reasons(capsys)["b"].endswith("×")
