"""INIT201, INIT202, INIT203, INIT206: fans that are counted otherwise than they are used."""

import pytest

from initlint import api

HEAD = """\
import math
import torch
from torch import nn
import torch.nn.functional as F


"""
NET = """\
class Net(nn.Module):
    def __init__(self{given}):
        super().__init__()
        self.layer = {layer}
        self.head = nn.LazyLinear(4)
        {fill}

    def forward(self, x):
        return self.head({use})
"""
CODES = ("INIT201", "INIT202", "INIT203", "INIT206")


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.torch, id="traced"), False])
def found(request, tmp_path):
    """Judges a layer that is filled and used; gives the codes of geometry, and all codes."""

    def judged(layer, fill, use, given=""):
        path = tmp_path / "net.py"
        fill = "\n        ".join((fill,) if isinstance(fill, str) else fill)
        path.write_text(HEAD + NET.format(layer=layer, fill=fill, use=use, given=given))
        report = api.check_all([str(path)], api.Options(trace=request.param))
        assert report.layers
        codes = [f.code for f in report.findings if f.parameter.startswith("layer")]
        return [code for code in codes if code in CODES], codes

    return judged


def bare(*sizes):
    return f"nn.Parameter(torch.empty({', '.join(map(str, sizes))}))"


@pytest.mark.parametrize(
    ("layer", "fill", "wrong"),
    [
        ("nn.ConvTranspose2d(256, 32, 3)", "nn.init.kaiming_normal_(w)", True),
        ("nn.ConvTranspose1d(512, 16, 3)", "nn.init.kaiming_uniform_(w)", True),
        ("nn.ConvTranspose2d(256, 32, 3)", "nn.init.kaiming_normal_(w, mode='fan_out')", False),
        ("nn.ConvTranspose2d(64, 64, 3)", "nn.init.kaiming_normal_(w)", False),
        ("nn.ConvTranspose2d(64, 32, 3)", "nn.init.normal_(w, 0, 0.02)", False),
        ("nn.ConvTranspose2d(256, 32, 3)", "pass", False),
        ("nn.Conv2d(256, 32, 3)", "nn.init.kaiming_normal_(w)", False),
    ],
)  # fmt: skip
def test_transposed_convolutions(found, layer, fill, wrong):
    ours, every = found(layer, ("w = self.layer.weight", fill), "self.layer(x).relu()")
    assert ours == (["INIT201"] if wrong else [])
    assert "INIT104" not in every and "INIT102" not in every


@pytest.mark.parametrize("use", ["F.layer_norm(self.layer(x), (8, 8))", "self.layer(x)"])
def test_a_transposed_convolution_whose_scale_is_cancelled_or_the_output(found, use):
    fill = "nn.init.kaiming_normal_(self.layer.weight)"
    ours, _ = found("nn.ConvTranspose2d(64, 32, 3, bias=False)", fill, use)
    assert ours == []


DEPTHWISE = "nn.Conv2d(64, 64, 3, groups=64)"


@pytest.mark.parametrize(
    ("layer", "fill", "wrong"),
    [
        (DEPTHWISE, "nn.init.kaiming_normal_(w, mode='fan_out', nonlinearity='relu')", True),
        ("nn.Conv1d(64, 128, 3, groups=32)", "nn.init.kaiming_normal_(w, mode='fan_out')", True),
        (DEPTHWISE, "nn.init.normal_(w, 0, math.sqrt(2 / (3 * 3 * 64)))", True),
        (DEPTHWISE, "w.data.uniform_(-1 / math.sqrt(9 * 64), 1 / math.sqrt(9 * 64))", True),
        (DEPTHWISE, "nn.init.normal_(w, 0, math.sqrt(2 / (3 * 3)))", False),
        (DEPTHWISE, "nn.init.kaiming_normal_(w, nonlinearity='relu')", False),
        (DEPTHWISE, "nn.init.normal_(w, 0, 0.02)", False),
        (DEPTHWISE, "nn.init.dirac_(w, groups=64)", False),
        (DEPTHWISE, "pass", False),
        ("nn.Conv2d(64, 64, 3)", "nn.init.kaiming_normal_(w, mode='fan_out')", False),
    ],
)
def test_grouped_convolutions(found, layer, fill, wrong):
    ours, _ = found(layer, ("w = self.layer.weight", fill), "self.layer(x).relu()")
    assert ours == (["INIT202"] if wrong else [])


def test_a_grouped_convolution_before_a_normalisation(found):
    fill = "nn.init.kaiming_normal_(self.layer.weight, mode='fan_out')"
    use = "F.layer_norm(self.layer(x), (8, 8)).relu()"
    assert found("nn.Conv2d(64, 64, 3, groups=64, bias=False)", fill, use)[0] == []


@pytest.mark.parametrize(
    "use",
    [
        "torch.bmm(x, self.layer)",
        "(x @ self.layer)",
        "torch.matmul(x, self.layer)",
        "torch.einsum('eti,eio->eto', x, self.layer)",
        "torch.einsum('ti,eio->eto', x, self.layer)",
        "torch.baddbmm(x, x, self.layer)",
        "F.linear(x, self.layer[3].t())",
        "(x @ self.layer[0])",
    ],
)
@pytest.mark.parametrize("call", ["kaiming_normal_", "xavier_uniform_", "orthogonal_"])
def test_a_stack_of_matrices(found, use, call):
    ours, _ = found(bare(8, 64, 256), f"nn.init.{call}(self.layer)", f"{use}.relu()")
    assert ours == ["INIT203"]


@pytest.mark.parametrize(
    ("fill", "use"),
    [
        ("nn.init.normal_(self.layer, std=0.125)", "torch.bmm(x, self.layer)"),
        ("for m in self.layer: nn.init.kaiming_normal_(m)", "torch.bmm(x, self.layer)"),
        ("nn.init.kaiming_normal_(self.layer)", "F.conv1d(x, self.layer)"),
        ("nn.init.kaiming_normal_(self.layer)", "F.bilinear(x, x, self.layer)"),
        ("nn.init.kaiming_normal_(self.layer)", "x + self.layer"),
        # It is not known how a matrix that was reshaped is laid out.
        ("nn.init.kaiming_normal_(self.layer)", "x @ self.layer.view(64, -1)"),
    ],
)
def test_no_stack_or_filled_as_one(found, fill, use):
    assert found(bare(8, 64, 256), fill, f"{use}.relu()")[0] == []


BY_ROWS, BY_COLUMNS = "self.layer.size(0)", "self.layer.size(1)"


@pytest.mark.parametrize(
    ("use", "wrong", "right"),
    [
        ("x @ self.layer", BY_COLUMNS, BY_ROWS),
        ("torch.mm(x, self.layer)", BY_COLUMNS, BY_ROWS),
        ("torch.spmm(x, torch.mm(x, self.layer))", BY_COLUMNS, BY_ROWS),
        ("torch.einsum('ti,io->to', x, self.layer)", BY_COLUMNS, BY_ROWS),
        ("F.linear(x, self.layer)", BY_ROWS, BY_COLUMNS),
        ("x @ self.layer.t()", BY_ROWS, BY_COLUMNS),
        ("self.layer @ x", BY_ROWS, BY_COLUMNS),
    ],
)
@pytest.mark.parametrize(
    "draw",
    [
        "self.layer.data.uniform_(-1 / math.sqrt(n), 1 / math.sqrt(n))",
        "nn.init.normal_(self.layer, std=n ** -0.5)",
        "nn.init.normal_(self.layer, 0, math.sqrt(2.0 / n))",
        "nn.init.uniform_(self.layer, -math.sqrt(6 / n), math.sqrt(6 / n))",
    ],
)
def test_the_side_that_a_formula_counts(found, use, wrong, right, draw):
    assert found(bare(300, 77), (f"n = {wrong}", draw), use)[0] == ["INIT206"]
    assert found(bare(300, 77), (f"n = {right}", draw), use)[0] == []


@pytest.mark.parametrize(
    ("sizes", "fill"),
    [
        # Numbers that someone chose, though they are roots of the outputs.
        ((300, 100), "self.layer.data.uniform_(-0.1, 0.1)"),
        ((300, 25), "nn.init.normal_(self.layer, std=0.2)"),
        ((64, 2500), "nn.init.normal_(self.layer, std=0.02)"),
        ((64, 64), "nn.init.normal_(self.layer, std=64 ** -0.5)"),
        ((300, 77), "nn.init.xavier_uniform_(self.layer)"),
        ((300, 77), "nn.init.normal_(self.layer, std=math.sqrt(2 / 377))"),
        ((300, 77), "nn.init.kaiming_uniform_(self.layer, a=math.sqrt(5))"),
    ],
)
def test_numbers_that_tell_nothing(found, sizes, fill):
    assert found(bare(*sizes), fill, "x @ self.layer")[0] == []


def test_torchs_own_linear_layers(found):
    """`fan_in = layer.weight.size()[0]`, as in many DDPG agents, against a std by fan_out."""
    fill = ("n = self.layer.weight.data.size()[0]", "lim = 1.0 / math.sqrt(n)")
    draw = "self.layer.weight.data.uniform_(-lim, lim)"
    assert found("nn.Linear(300, 77)", (*fill, draw), "self.layer(x).relu()")[0] == ["INIT206"]
    draw = "nn.init.normal_(self.layer.weight, std=math.sqrt(2 / n))"
    assert found("nn.Linear(300, 77)", (*fill, draw), "self.layer(x).relu()")[0] == []


HEAD_BY_OUTPUTS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(300, 77)
        bound = 1.0 / math.sqrt(self.layer.weight.size(0))
        self.layer.weight.data.uniform_(-bound, bound)

    def forward(self, x):
        return self.layer(x)
"""


def test_the_head_of_efficientnet(tmp_path):
    """Its bound is computed from the number of classes on purpose."""
    path = tmp_path / "net.py"
    path.write_text(HEAD + HEAD_BY_OUTPUTS)
    assert api.check(str(path)).findings == ()


@pytest.mark.parametrize(
    ("side", "wrong"),
    [("self.layer.size(1)", True), ("self.layer.size(0)", False), ("wide", False)],
)
def test_sizes_that_are_only_names(tmp_path, side, wrong):
    path = tmp_path / "net.py"
    fill = f"s = 1.0 / math.sqrt({side})\n        self.layer.data.uniform_(-s, s)"
    given = {"layer": bare("wide", "width"), "fill": fill, "use": "torch.mm(x, self.layer)"}
    path.write_text(HEAD + NET.format(given=", wide, width", **given))
    codes = [f.code for f in api.check(str(path)).findings]
    assert codes == (["INIT206"] if wrong else [])


CELL = """\
class Cell(nn.Module):
    def __init__(self, {given}):
        super().__init__()
        self.layer, self.state = {layers}
        bound = 1.0 / math.sqrt(self.state.{inputs})
        for parameter in {filled}:
            parameter.data.uniform_(-bound, bound)

    def forward(self, x, h):
        {forward}
"""
LAYERS = "nn.Linear(wide, {0} * hidden), nn.Linear(hidden, {0} * hidden)"
BARE = "nn.Parameter(torch.empty(wide, hidden)), nn.Parameter(torch.empty(hidden, hidden))"
PLAIN = "return torch.tanh(self.layer(x) + self.state(h))"
GATED = """x, h = self.layer(x).chunk(3, 1), self.state(h).chunk(3, 1)
        r, z = torch.sigmoid(x[0] + h[0]), torch.sigmoid(x[1] + h[1])
        return z * torch.tanh(x[2] + r * h[2])"""


@pytest.mark.parametrize(
    ("layers", "inputs", "forward"),
    [
        (LAYERS.format(1), "in_features", PLAIN),
        (LAYERS.format(3), "in_features", GATED),
        (BARE, "size(0)", "return torch.tanh(x @ self.layer + h @ self.state)"),
    ],
)
@pytest.mark.parametrize("given", ["wide, hidden", "wide=300, hidden=77"])
def test_cells_that_begin_as_torchs_own(tmp_path, layers, inputs, forward, given):
    path = tmp_path / "net.py"
    cell = {"given": given, "layers": layers, "inputs": inputs, "forward": forward}
    path.write_text(HEAD + CELL.format(**cell, filled="self.parameters()"))
    assert [f.code for f in api.check(str(path)).findings] == []


def test_a_matrix_that_leads_to_the_other_is_no_part_of_a_cell(tmp_path):
    path = tmp_path / "net.py"
    cell = {"given": "wide, hidden", "layers": BARE, "inputs": "size(0)"}
    forward = "return torch.tanh(torch.tanh(x @ self.layer) @ self.state) + h"
    path.write_text(HEAD + CELL.format(**cell, forward=forward, filled="self.parameters()"))
    assert [f.code for f in api.check(str(path)).findings] == ["INIT206"]


def test_one_cause_gives_one_finding(found):
    """The wrong scale that comes of a wrong fan is not reported besides."""
    fill = "nn.init.kaiming_normal_(self.layer, nonlinearity='relu')"
    assert found(bare(8, 64, 256), fill, "torch.bmm(x, self.layer).relu()")[1] == ["INIT203"]
    fill = "nn.init.kaiming_normal_(self.layer.weight, mode='fan_out', nonlinearity='relu')"
    assert found(DEPTHWISE, fill, "self.layer(x).relu()")[1] == ["INIT202"]
