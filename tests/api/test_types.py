"""What type checkers see of the public functions."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = """from torch import nn

import initlint


class Net(nn.Module): ...


def make() -> Net:
    return Net()


reveal_type(initlint.materialize(Net))
reveal_type(initlint.materialize(make))
reveal_type(initlint.check(Net))
"""


@pytest.mark.slow
@pytest.mark.torch
def test_a_model_keeps_its_type(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(tmp_path / "net.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = [line.partition("Revealed type is ")[2] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = ['"net.Net"', '"net.Net"', '"initlint.pipeline.asked.Report"']
    assert [text for text in shown if text] == wanted
