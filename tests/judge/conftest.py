"""Judging a class called Net in both engines: read from its file, and built and traced."""

import textwrap

import pytest

import initlint

HEAD = """\
import math
import torch
import torch.nn.functional as F
from torch import nn
"""


class Judged:
    """What an engine says of one source."""

    def __init__(self, report):
        self.layers = {x.parameter: x for x in report.layers if x.model.endswith("Net")}
        self.findings = report.findings
        self.codes = {
            name: finding.code for finding in report.findings for name in finding.parameters
        }

    def recommended(self):
        """The std recommended for every weight; None where nothing is."""
        return {
            name: layer.recommended and layer.recommended.std for name, layer in self.layers.items()
        }


@pytest.fixture(params=["read", pytest.param("traced", marks=pytest.mark.torch)])
def judge(request, tmp_path):
    """Judges the class Net of a source text; `inputs` are only of use to the traced one."""

    def judge(source, *inputs):
        path = tmp_path / "net.py"
        path.write_text(HEAD + textwrap.dedent(source))
        if request.param == "read":
            return Judged(initlint.check(str(path)))
        return Judged(initlint.check(f"{path}:Net", *inputs))

    return judge
