"""`python -m initlint` in a tree that has files named like the libraries initlint uses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NET = (ROOT / "docs" / "examples" / "lenet.py").read_text(encoding="utf-8")
BAIT = "open('taken', 'w').close()\n"


@pytest.mark.parametrize("name", ["click", "rich", "logging", "tomllib", "pathspec"])
def test_nothing_in_the_working_directory_stands_in_for_a_library(name, tmp_path):
    (tmp_path / f"{name}.py").write_text(BAIT)
    (tmp_path / "net.py").write_text(NET)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "initlint", "check", "--no-cache", "--isolated", "net.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "INIT101" in done.stdout
    assert not (tmp_path / "taken").exists()
