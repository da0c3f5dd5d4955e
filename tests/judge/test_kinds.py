"""What is said of kinds of nets: the first line of each file of `kinds` has the codes, inputs."""

import re
from pathlib import Path

import pytest

import initlint

KINDS = sorted((Path(__file__).parent / "kinds").glob("*.py"))


@pytest.mark.parametrize("engine", ["read", pytest.param("traced", marks=pytest.mark.torch)])
@pytest.mark.parametrize("path", KINDS, ids=[path.stem for path in KINDS])
def test_both_engines_say_what_the_first_line_says(path, engine):
    expected, _, inputs = path.read_text().splitlines()[0].partition(" | ")
    if engine == "read":
        report = initlint.check(str(path))
    else:
        name = re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE)[-1]
        report = initlint.check(f"{path}:{name}", *map(_made, inputs.split()))
    codes = sorted({finding.code for finding in report.findings})
    assert expected == f"# expected: {' '.join(codes) or 'nothing'}"


def _made(shape):
    import torch

    if shape.startswith("int64"):
        return torch.zeros(2, 8, dtype=torch.int64)
    return torch.zeros(*map(int, shape.split(",")))
