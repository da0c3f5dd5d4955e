"""INIT204: several matrices in one parameter, drawn as one, as both engines see it."""

import textwrap

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F


"""
ATTENTION = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(64, 192)
        self.out = nn.Linear(64, 64)
        nn.init.xavier_uniform_(self.qkv.weight)

    def forward(self, x):
{forward}
        return self.out(F.scaled_dot_product_attention(q, k, v))
"""
CELL = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.x2h = nn.Linear(32, 4 * 64)
        self.h2h = nn.Linear(64, 4 * 64)
        nn.init.{call}(self.h2h.weight)

    def forward(self, x, h, c):
        i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
"""
TORCHS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = {layer}
        {fill}

    def forward(self, x):
        return self.layer({given})
"""


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.torch, id="traced"), False])
def found(request, tmp_path):
    """Judges source; gives the parameters and messages of INIT204, and all codes."""

    def judged(source):
        path = tmp_path / "net.py"
        path.write_text(HEAD + source)
        report = api.check_all([str(path)], api.Options(trace=request.param))
        assert report.layers and not report.unanalysed
        ours = [f for f in report.findings if f.code == "INIT204"]
        names = [name for finding in ours for name in finding.parameters]
        return names, " ".join(f.message for f in ours), {f.code for f in report.findings}

    return judged


def attention(forward):
    return ATTENTION.format(forward=textwrap.indent(textwrap.dedent(forward).strip(), " " * 8))


@pytest.mark.parametrize(
    "forward",
    [
        "q, k, v = self.qkv(x).chunk(3, dim=-1)",
        "q, k, v = torch.split(self.qkv(x), 64, dim=-1)",
        "q, k, v = self.qkv(x).split([64, 64, 64], dim=-1)",
        "q, k, v = self.qkv(x).view(2, 5, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind(0)",
        "p = self.qkv(x).reshape(2, 5, 3, 64).permute(2, 0, 1, 3)\nq, k, v = p[0], p[1], p[2]",
        "p = self.qkv(x).chunk(3, -1)\nq = p[0] * 0.5\nk, v = p[1], p[2]",
    ],
)
def test_the_ways_in_which_q_k_and_v_are_taken_from_one_result(found, forward):
    names, message, codes = found(attention(forward))
    assert names == ["qkv.weight"] and codes == {"INIT204"}
    assert "3 matrices" in message and "0.71×" in message


@pytest.mark.parametrize(
    "forward",
    [
        # Heads are one matrix, and so are parts that are not equal.
        "q = k = v = self.qkv(x).view(2, 5, 12, 16).transpose(1, 2)",
        "q, k, v = self.qkv(x).split([128, 32, 32], dim=-1)",
        "q = k = v = self.qkv(x)[..., :64]",
        "y = self.qkv(x)\nq, k, v = y[:, 0], y[:, 0], y[:, 0]",
    ],
)
def test_one_matrix_is_not_several(found, forward):
    assert found(attention(forward))[0] == []


@pytest.mark.parametrize(
    ("call", "factor"), [("orthogonal_", "0.50×"), ("xavier_normal_", "0.63×")]
)
def test_gates_of_a_cell_that_is_written_out(found, call, factor):
    names, message, _ = found(CELL.format(call=call))
    assert names == ["h2h.weight"] and factor in message
    assert ("none is orthogonal" in message) == (call == "orthogonal_")


@pytest.mark.parametrize(
    ("layer", "fill", "names"),
    [
        ("nn.GRU(64, 64)", "nn.init.orthogonal_(self.layer.weight_hh_l0)",
         ["layer.weight_hh_l0"]),
        ("nn.LSTMCell(8, 64)", "nn.init.xavier_uniform_(self.layer.weight_hh)",
         ["layer.weight_hh"]),
        ("nn.LSTM(64, 64)", "for g in self.layer.weight_hh_l0.chunk(4): nn.init.orthogonal_(g)",
         []),
        ("nn.LSTM(64, 64)", "nn.init.kaiming_normal_(self.layer.weight_hh_l0)", []),
        ("nn.LSTM(256, 64)", "nn.init.orthogonal_(self.layer.weight_ih_l0)", []),
        ("nn.RNN(64, 64)", "nn.init.orthogonal_(self.layer.weight_hh_l0)", []),
        ("nn.LSTM(64, 64)", "nn.init.normal_(self.layer.weight_hh_l0, std=0.1)", []),
        ("nn.GRU(64, 64)", "pass", []),
    ],
)  # fmt: skip
def test_torchs_own_recurrent_layers(found, layer, fill, names):
    given = "x" if "Cell" not in layer else "x[0]"
    assert found(TORCHS.format(layer=layer, fill=fill, given=given))[0] == names


@pytest.mark.parametrize(
    ("fill", "names"),
    [
        ("nn.init.xavier_uniform_(self.layer.in_proj_weight)", ["layer.in_proj_weight"]),
        ("nn.init.orthogonal_(self.layer.in_proj_weight)", ["layer.in_proj_weight"]),
        ("for p in self.parameters():\n            if p.dim() > 1: nn.init.xavier_uniform_(p)", []),
        ("self.layer._reset_parameters()", []),
        ("for p in self.layer.in_proj_weight.chunk(3): nn.init.xavier_uniform_(p)", []),
    ],
)
def test_torchs_own_attention(found, fill, names):
    source = TORCHS.format(layer="nn.MultiheadAttention(64, 4)", fill=fill, given="x, x, x")
    assert found(source)[0] == names


def test_a_bare_matrix(found):
    source = ATTENTION.replace("nn.Linear(64, 192)", "nn.Parameter(torch.empty(192, 64))")
    source = source.replace("self.qkv.weight", "self.qkv")
    forward = "q, k, v = F.linear(x, self.qkv).chunk(3, -1)"
    assert found(source.format(forward=" " * 8 + forward))[0] == ["qkv"]
    # x @ w: the parts lie side by side.
    source = source.replace("(192, 64)", "(64, 192)")
    assert found(source.format(forward=" " * 8 + "q, k, v = (x @ self.qkv).chunk(3, -1)"))[0]


def test_sizes_that_are_only_names(tmp_path):
    """Of a square recurrent matrix the ratio is known all the same."""
    path = tmp_path / "net.py"
    path.write_text(
        HEAD
        + TORCHS.replace("self):", "self, wide, width):", 1).format(
            layer="nn.LSTM(wide, width)",
            fill="for p in (self.layer.weight_ih_l0, self.layer.weight_hh_l0): "
            "nn.init.orthogonal_(p)",
            given="x",
        )
    )
    (finding,) = api.check(str(path)).findings
    assert finding.parameters == ("layer.weight_hh_l0",) and "0.50×" in finding.message


def test_the_help_repeats_the_gain(tmp_path):
    path = tmp_path / "net.py"
    fill = "for p in self.layer.parameters():\n            nn.init.orthogonal_(p, 0.5)"
    source = TORCHS.format(
        layer="nn.GRU(64, 64, bias=False)", fill=fill, given="torch.zeros(1, 2, 64)"
    )
    path.write_text(HEAD + source)
    report = api.check_all([str(path)], api.Options(codes=frozenset({"INIT204"})))
    loop = "for part in self.layer.weight_ih_l0.chunk(3): nn.init.orthogonal_(part, gain=0.5)"
    assert loop in {finding.help for finding in report.findings}
