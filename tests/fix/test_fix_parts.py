"""The fix of INIT204: the present call for each of the matrices that one parameter holds."""

import pytest

from initlint import api

NET = """\
from torch import nn
from torch.nn import init


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 64)
        self.out = nn.Linear(64, 64)
{lines}

    def forward(self, x):
        return self.out(self.lstm(x)[0])
"""
LOOP = """\
        for name, p in self.lstm.named_parameters():
            if "weight" in name:
                {call}"""
ALL = """\
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.orthogonal_(p)"""
NAMED = """\
        nn.init.orthogonal_(self.lstm.weight_hh_l0, {rest})"""


def fixed(lines):
    return api.fix(_with(lines), unsafe=True, select="INIT204").source


def _with(lines):
    return NET.replace("{lines}", lines)


@pytest.mark.parametrize(
    ("call", "new"),
    [
        ("nn.init.orthogonal_(p)", "nn.init.orthogonal_(part)"),
        ("init.orthogonal_(p, 1.4)  # as Saxe", "init.orthogonal_(part, 1.4)  # as Saxe"),
        ("init.xavier_normal_(p, gain=2)", "init.xavier_normal_(part, gain=2)"),
        ("nn.init.orthogonal_(p.data)", "nn.init.orthogonal_(part)"),
    ],
)
def test_a_loop_over_the_gates(call, new):
    own = call[call.index("(") + 1 :].split(",")[0].split(")")[0]
    wanted = f"for part in {own}.chunk(4):\n                    {new}"
    assert fixed(LOOP.format(call=call)) == _with(LOOP.format(call=wanted))


def test_one_named_weight():
    loop = "        for part in self.lstm.weight_hh_l0.chunk(4):\n"
    new = f"{loop}            nn.init.orthogonal_(part, gain=1)"
    assert fixed(NAMED.format(rest="gain=1")) == _with(new)


def test_a_name_that_is_taken():
    lines = '        part = "lstm"\n' + LOOP.format(call="nn.init.orthogonal_(p)")
    assert "for gate in p.chunk(4):" in fixed(lines)


@pytest.mark.parametrize(
    "lines",
    [
        ALL,
        LOOP.format(call="nn.init.orthogonal_(p); print(name)"),
        LOOP.format(call="filled = nn.init.orthogonal_(p)"),
        LOOP.replace("\n                {call}", " nn.init.orthogonal_(p)"),
    ],
    ids=["others as well", "beside another statement", "with its result", "behind the test"],
)
def test_what_is_refused(lines):
    assert fixed(lines) == _with(lines)
