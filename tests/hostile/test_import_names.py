"""Names of modules and of packages' folders that no file system takes are only not found."""

from pathlib import Path

import pytest

from initlint.cli.main import main

LONG = "x" * 300
NET = f"""
import {LONG}
from {LONG} import Net2
from a.{LONG}.b import Net3
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 30)
        self.b = nn.Linear(30, 30)
        self.c = nn.Linear(30, 30)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu()).relu()

Net()
Net2()
"""
SETTINGS = {
    "pyproject.toml": f'[tool.ruff]\nsrc = ["{LONG}", "a\\u0000b", "{"a/" * 3000}", "..", "/"]\n',
    "setup.cfg": f"[options]\npackage_dir =\n  = {LONG}\n",
    "pytest.ini": f"[pytest]\npythonpath = {LONG} ../..\n",
    "tox.ini": "no section\n",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    return tmp_path


@pytest.mark.parametrize("target", ["net.py", "."])
@pytest.mark.parametrize("name", [None, *SETTINGS])
def test_names_that_are_too_long_to_look_up(name, target, here, capsys):
    if name is not None:
        Path(name).write_text(SETTINGS[name])
    assert main(["check", "--no-cache", target]) == 1
    out, err = capsys.readouterr()
    assert "net.py:11:18: INIT101" in out
    assert "error" not in err
