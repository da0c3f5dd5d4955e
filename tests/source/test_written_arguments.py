"""Arguments of initialisers that are no numbers: recorded as written, judged as unknown."""

import pytest

import initlint
from initlint.reading import read

NET = """\
import torch
from torch import nn
from elsewhere import magic


class Net(nn.Module):
    def __init__(self, config, how):
        super().__init__()
        self.a = nn.Linear(8, 8)
        {line}

    def forward(self, x):
        return self.a(x).relu()
"""
UNKNOWN = [
    "nn.init.kaiming_normal_(self.a.weight, mode=config.mode)",
    "nn.init.kaiming_normal_(self.a.weight, mode=how)",
    "nn.init.kaiming_uniform_(self.a.weight, nonlinearity=config.act)",
    "nn.init.kaiming_uniform_(self.a.weight, a=config.a, mode=magic.mode, nonlinearity=magic.b)",
    "nn.init.trunc_normal_(self.a.weight, std=config.std, a=config.low, b=-2)",
    "nn.init.uniform_(self.a.weight, magic.high, config.low)",
    "mode = magic.mode; nn.init.kaiming_normal_(self.a.weight, mode=mode)",
]


@pytest.mark.parametrize("line", UNKNOWN)
def test_an_expression_is_no_mode_and_no_bound(line, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET.format(line=line))
    assert initlint.check(str(path), select=["ALL"]).findings == ()


def test_a_wrong_mode_is_still_one(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET.format(line='nn.init.kaiming_normal_(self.a.weight, mode="fan in")'))
    assert [finding.code for finding in initlint.check(str(path)).findings] == ["INIT007"]


def args_of(lines, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET.format(line="\n        ".join(lines)))
    (weight,) = [p for p in read([str(path)]).parameters if p.name == "a.weight"]
    return weight.history[-1].args


def sums(count, width):
    """Names each of which is a sum of the one before, and a draw by the last."""
    lines = ["v0 = magic()"]
    lines += [f"v{i} = " + " + ".join([f"v{i - 1}"] * width) for i in range(1, count + 1)]
    return [*lines, f"nn.init.normal_(self.a.weight, std=v{count})"]


def test_names_stand_for_what_they_were_given(tmp_path):
    assert args_of(
        ["std = magic.std", "nn.init.normal_(self.a.weight, std=2 * std)"], tmp_path
    ) == {
        "mean": 0.0,
        "std": "2 * magic.std",
    }


@pytest.mark.parametrize(("count", "width"), [(4, 4), (4, 40), (2, 150), (30, 2)])
def test_sums_of_sums_are_not_written_out(count, width, tmp_path):
    from initlint.reading.fills import written

    made = 0
    visit = written._Replaced.visit_Name

    def counting(self, node):
        nonlocal made
        made += 1
        return visit(self, node)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(written._Replaced, "visit_Name", counting)
        assert "v0" not in str(args_of(sums(count, width), tmp_path))
    assert made < 10_000
