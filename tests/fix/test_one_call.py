"""One layer, one call: help, message, JSON, patch and rewritten file show the same."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from textwrap import dedent

import pytest

from initlint import api
from initlint.cli import main as cli

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 64)
        {made}

    def forward(self, x):
        x = F.relu(self.first(x))
        return {result}
"""
GELU = "nn.init.normal_({0}.weight, std=1.534 / {0}.in_features{1}**{1}0.5)"
RELU = 'nn.init.kaiming_normal_({}.weight, mode="fan_in", nonlinearity="relu")'
SEQUENTIAL = "nn.Sequential(nn.Linear(8, 8), nn.{0}(), nn.Linear(8, 8), nn.{0}())"

CASES = {
    "linear before gelu": (
        NET.format(made="self.fc = nn.Linear(64, 64)", result="F.gelu(self.fc(x))"),
        GELU.format("self.fc", ""),
    ),
    "convolution before gelu": (
        NET.format(made="self.conv = nn.Conv1d(64, 64, 3)", result="F.gelu(self.conv(x))"),
        "nn.init.normal_(self.conv.weight, std=1.534 / self.conv.weight[0].numel() ** 0.5)",
    ),
    "other name of the instance": (
        NET.format(made="self.fc = nn.Linear(64, 64)", result="F.relu(self.fc(x))").replace(
            "self", "this"
        ),
        RELU.format("this.fc"),
    ),
    "member of a Sequential": (
        NET.format(made=f"self.net = {SEQUENTIAL.format('GELU')}", result="self.net(x)"),
        GELU.format("self.net[0]", " "),
    ),
    "named in a factory": (
        f"def make():\n    net = {SEQUENTIAL.format('GELU')}\n    return net\n",
        GELU.format("net[2]", " "),
    ),
    "returned by a factory": (
        f"def make():\n    return {SEQUENTIAL.format('ReLU')}\n",
        RELU.format("model[2]"),
    ),
    "in a block of the model": (
        """\
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return F.relu(self.fc(x))

"""
        + NET.format(made="self.block = Block(64)", result="self.block(x)"),
        RELU.format("self.fc"),
    ),
    "key that is not an identifier": (
        NET.format(
            made="self.d = nn.ModuleDict({'a\"]; x': nn.Linear(64, 64)})",
            result="F.relu(self.d['a\"]; x'](x))",
        ),
        RELU.format("self.d['a\"]; x']"),
    ),
    "key with braces": (
        NET.format(
            made='self.d = nn.ModuleDict({"{weight}": nn.Linear(64, 64)})',
            result='F.gelu(self.d["{weight}"](x))',
        ).replace("{{", "{"),
        GELU.format('self.d["{weight}"]', " "),
    ),
    "attribute that is not an identifier": (
        NET.format(
            made='setattr(self, "q r", nn.Linear(64, 64))',
            result='F.gelu(getattr(self, "q r")(x))',
        ),
        GELU.format('getattr(self, "q r")', " "),
    ),
    "corrected": (
        NET.format(
            made="self.fc = nn.Linear(64, 64); nn.init.xavier_uniform_(self.fc.weight, 0.2)",
            result="F.relu(self.fc(x))",
        ),
        RELU.format("self.fc"),
    ),
    "the file's own spelling": (
        "from torch.nn import init\n\n\n"
        + NET.format(
            made="self.fc = nn.Linear(64, 64)\n        init.zeros_(self.fc.bias)",
            result="F.relu(self.fc(x))",
        ),
        RELU.format("self.fc").removeprefix("nn."),
    ),
}


def squeezed(text: str) -> str:
    """Without blanks, trailing commas and a patch's marks: a long call is broken into lines."""
    lines = (line.removeprefix("+") for line in text.splitlines())
    return "".join("".join(lines).split()).replace(",)", ")")


@pytest.mark.torch
@pytest.mark.parametrize(("source", "call"), CASES.values(), ids=CASES)
def test_the_same_call(
    source: str,
    call: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(HEAD + source)
    shown = {}
    for form in ("full", "concise", "json"):
        assert cli.main(["check", "--isolated", "net.py", "--output-format", form]) == 1
        shown[form] = capsys.readouterr().out
    calls = [finding["fix"]["call"] for finding in json.loads(shown["json"])["findings"]]
    assert call in calls
    for each in calls:
        ast.parse(each)
        assert f"help: {each} (" in shown["full"]
        if f"; write {each}\n" not in shown["concise"]:
            # A line of more than 160 characters names the weight in general.
            name, _, rest = each.partition("(")
            lines = [x for x in shown["concise"].splitlines() if f"{name[8:]}(weight, " in x]
            assert lines
            assert all(len(x.partition(": ")[2]) + len(rest) > 160 for x in lines)
        assert shown["full"].count(each) == calls.count(each)
    assert squeezed(call) in squeezed(api.fix("net.py").source)


def test_a_layer_without_a_name_is_reached_from_the_model(tmp_path: Path) -> None:
    source = (
        "make = lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())\n"
    )
    (tmp_path / "net.py").write_text(dedent(HEAD + source))
    shown = str(api.check(str(tmp_path / "net.py")))
    assert "self[" not in shown
