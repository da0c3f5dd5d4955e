"""--add-noqa: a comment on a line of each finding, every other byte as it was."""

import ast
import json
from pathlib import Path

import pytest

from initlint.cli import main as cli
from initlint.project import config

HEAD = "import torch\nfrom torch import nn\n\n\n"
NET = (
    HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.before = nn.Linear(64, 8)
        self.a = {first}
        self.b = nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.a(self.before(x)))))
"""
)
PLAIN = "nn.Linear(8, 8)"


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    config._nearest.cache_clear()

    def check(*words):
        code = cli.main(["check", "--no-cache", *words])
        captured = capfd.readouterr()
        assert "internal error" not in captured.err
        return code, captured.out, captured.err

    return check


def test_every_finding_is_silenced(run):
    Path("net.py").write_text(NET.format(first=PLAIN))
    assert run("--add-noqa", "net.py") == (0, "", "Silenced 2 findings in 1 file.\n")
    assert Path("net.py").read_text().count("nn.Linear(8, 8)  # noqa: INIT101\n") == 2
    assert run("net.py")[:2] == (0, "")
    assert run("--add-noqa", "net.py") == (0, "", "Silenced 0 findings in 0 files.\n")


def test_with_a_reason(run):
    Path("net.py").write_text(NET.format(first=PLAIN))
    assert run("--add-noqa=as in the paper", "net.py")[0] == 0
    assert "  # noqa: INIT101 as in the paper\n" in Path("net.py").read_text()


FORMS = {
    "a comment": ("nn.Linear(8, 8)  # wide", "nn.Linear(8, 8)  # wide  # noqa: INIT101"),
    "other codes": ("nn.Linear(8, 8)  # noqa: E501", "nn.Linear(8, 8)  # noqa: E501, INIT101"),
    "other codes and a reason": (
        "nn.Linear(8, 8)  # noqa: E501 too long",
        "nn.Linear(8, 8)  # noqa: E501, INIT101 too long",
    ),
    "a name": (
        "nn.Linear(8, 8)  # noqa: some-other-rule",
        "nn.Linear(8, 8)  # noqa: some-other-rule, INIT101",
    ),
    "several lines": (
        "nn.Linear(\n            8,\n            8,\n        )",
        "nn.Linear(  # noqa: INIT101\n            8,\n            8,\n        )",
    ),
    "a line that goes on": (
        "nn.Linear(8, \\\n            8)",
        "nn.Linear(8, \\\n            8)  # noqa: INIT101",
    ),
    "text that looks like a comment": (
        "nn.Linear(8, len('# noqa: E5'))",
        "nn.Linear(8, len('# noqa: E5'))  # noqa: INIT101",
    ),
    "text over several lines": (
        "nn.Linear(len('''1\n2345678'''[:8]), 8)",
        "nn.Linear(len('''1\n2345678'''[:8]), 8)  # noqa: INIT101",
    ),
    "two statements": ("nn.Linear(8, 8); y = 1", "nn.Linear(8, 8); y = 1  # noqa: INIT101"),
}


@pytest.mark.parametrize(("first", "expected"), FORMS.values(), ids=FORMS)
def test_where_the_comment_goes(run, first, expected):
    Path("net.py").write_text(NET.format(first=first))
    found = run("--output-format", "concise", "net.py")[1].count(": INIT101 ")
    code, _, err = run("--add-noqa", "net.py")
    assert (code, err) == (
        0,
        f"Silenced {found} findings in 1 file.\n".replace("1 findings", "1 finding"),
    )
    wanted = NET.format(first=expected).replace(
        "self.b = nn.Linear(8, 8)", "self.b = nn.Linear(8, 8)  # noqa: INIT101"
    )
    text = Path("net.py").read_text()
    assert text == wanted or found == 1
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(NET.format(first=first)))
    assert run("net.py")[0] == 0


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_bytes_stay(run, ending, encoding):
    text = "# größe\n" + NET.format(first=PLAIN)
    if encoding == "latin-1":
        text = "# coding: latin-1\n" + text
        if ending == "\r":
            pytest.skip("Python finds the encoding of no such file")
    source = text.replace("\n", ending).encode(encoding)
    Path("net.py").write_bytes(source)
    assert run("--add-noqa", "net.py")[0] == 0
    assert Path("net.py").read_bytes().replace(b"  # noqa: INIT101", b"") == source


def test_a_reason_that_the_file_cannot_hold_changes_nothing(run):
    source = ("# coding: latin-1\n" + NET.format(first=PLAIN)).encode("latin-1")
    Path("net.py").write_bytes(source)
    code, _, err = run("--add-noqa=warum → darum", "net.py")
    assert code == 2 and "the reason cannot be written in" in err
    assert Path("net.py").read_bytes() == source


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[31m", "# noqa: E501", "\r"])
def test_a_reason_is_text_of_one_line(run, reason):
    Path("net.py").write_text(NET.format(first=PLAIN))
    code, _, err = run(f"--add-noqa={reason}", "net.py")
    assert (
        code == 2
        and err == "initlint: error: --add-noqa: write the reason on one line, without #\n"
    )
    assert "noqa" not in Path("net.py").read_text()


def test_a_comment_that_is_in_the_way_is_said(run):
    Path("net.py").write_text(NET.format(first="nn.Linear(8, 8)  # noqa: what is this"))
    code, _, err = run("--add-noqa", "net.py")
    assert code == 2 and "no comment added: a comment that is there already" in err


def test_notebooks(run):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]},
        {"cell_type": "code", "metadata": {}, "execution_count": 1, "outputs": [{"text": "x"}],
         "source": ["%matplotlib inline\n", *NET.format(first=PLAIN).splitlines(keepends=True)]},
    ]  # fmt: skip
    text = json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )
    Path("net.ipynb").write_text(text)
    assert run("net.ipynb")[0] == 1
    assert run("--add-noqa", "net.ipynb") == (0, "", "Silenced 2 findings in 1 file.\n")
    assert Path("net.ipynb").read_text().replace("  # noqa: INIT101", "") == text
    assert run("net.ipynb")[0] == 0


def test_standard_input_has_no_file_to_write(run):
    Path("net.py").write_text(NET.format(first=PLAIN))
    code, _, err = run("--add-noqa", "-", "--stdin-filename", "net.py")
    assert code == 2 and err.count("\n") == 1 and "--add-noqa" in err


def test_a_target_after_the_option_is_no_reason(run):
    Path("net.py").write_text(NET.format(first=PLAIN))
    run("--add-noqa", "net.py")
    assert "noqa: INIT101\n" in Path("net.py").read_text()
