"""`initlint profile` from the command line: models built in another process, options, errors."""

import json

import pytest
import torch

from initlint.cli import main as cli

NET = '''import torch
from torch import nn


class Net(nn.Module):
    """A model."""

    def __init__(self, width=32):
        super().__init__()
        self.fc1 = nn.Linear(16, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, width)
        self.fc4 = nn.Linear(width, 4)

    def forward(self, x):
        return self.fc4(self.fc3(self.fc2(self.fc1(x).relu()).relu()).relu())


class Ends(Net):
    def forward(self, x):
        import os
        os._exit(3)


class Raises(Net):
    def __init__(self):
        raise ValueError("no\\nvalue")


model = Net(8)
'''


@pytest.fixture
def initlint(tmp_path, monkeypatch, capsys):
    """Runs a command line in a folder with net.py; gives exit code, stdout and stderr."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)

    def run(line):
        code = cli.main(line.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_class_is_built_run_and_shown(initlint, tmp_path):
    code, out, err = initlint("profile net.py:Net --arg width=64 --out page.html")
    assert (code, err) == (0, "Written to page.html.\n")
    assert "fc1" in out and "fc2" in out and "measured" in out
    page = (tmp_path / "page.html").read_text()
    assert "INIT101" in page and "self.fc2 = nn.Linear(width, width)" in page
    assert "<ins>+" in page and "kaiming_normal_(self.fc2.weight" in page


def test_the_same_target_gives_the_same_numbers(initlint, tmp_path):
    for name in ("a", "b"):
        assert initlint(f"profile net.py:Net --input 8,16 --out {name}.json")[0] == 0
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    found = json.loads((tmp_path / "a.json").read_text())["models"][0]
    assert found["model"] == "net.py:Net"
    assert [row["layer"] for row in found["rows"]["recommended"]] == ["fc1", "fc2", "fc3", "fc4"]


def test_a_live_model_of_a_file(initlint):
    code, out, _ = initlint("profile net.py:model")
    assert code == 0 and "fc1" in out


ERRORS = {
    "net.py:Ends": "ended the process",
    "net.py:Raises": "no value",
    "net.py:Nett": "did you mean Net?",
    "nix.py:Net": "no such file",
    "net.py:Net --arg height=3": "height",
    "net.py:Net --input 8,17": "8x17",
    "net.py:Net --out page.pdf": "ends in .html",
    "net.py:Net --out nix/page.html": "there is no folder nix",
    "net.py --input 1,3": "no effect",
    "net.py --timeout 3": "no effect",
}


@pytest.mark.parametrize(("line", "said"), ERRORS.items(), ids=ERRORS)
def test_errors_are_one_line(initlint, line, said):
    code, out, err = initlint(f"profile {line}")
    assert (code == 2 and out == "") or "nix/page" in line
    assert err.count("\n") == 1 and err.startswith("initlint: error: ") and said in err
    assert torch.is_grad_enabled()
