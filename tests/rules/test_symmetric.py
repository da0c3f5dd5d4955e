"""INIT009, INIT013, INIT015: constants that cannot learn, the depth's scale off the stream."""

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F


"""
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = {layer}
        self.norm = nn.LayerNorm(64)
        self.out = nn.Linear(64, 10)
        {fill}

    def forward(self, x):
        {forward}
"""
PRODUCT = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(64, 64)
        self.lora_down = {down}
        self.lora_up = {up}
        {fill}

    def forward(self, x):
        return {forward}
"""
STACK = """\
class Block(nn.Module):
    def __init__(self, place=0, depth=8):
        super().__init__()
        self.norm = nn.LayerNorm(64)
        self.q, self.k, self.v, self.o = (nn.Linear(64, 64) for _ in range(4))
        self.w1, self.w3 = nn.Linear(64, 256), nn.Linear(64, 256)
        self.w2 = nn.Linear(256, 64)
        for layer in (self.q, self.k, self.v, self.o, self.w1, self.w2, self.w3):
            nn.init.normal_(layer.weight, std=0.02)
        for layer in {scaled}:
            nn.init.normal_(layer.weight, std={std})

    def forward(self, x):
        h = self.norm(x)
        x = x + self.o(F.scaled_dot_product_attention(self.q(h), self.k(h), self.v(h)))
        h = self.norm(x)
        return x + self.w2(F.silu(self.w1(h)) * self.w3(h))


class Stack(nn.Module):
    def __init__(self, depth={depth}):
        super().__init__()
        self.blocks = nn.ModuleList([Block(i, depth) for i in range(depth)])
        self.norm = nn.LayerNorm(64)
        self.head = nn.Linear(64, 100)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
"""


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.torch, id="traced"), False])
def found(request, tmp_path):
    """The code and the parameters of each finding in a file, of INIT009, INIT013 and INIT015."""

    def judged(source):
        path = tmp_path / "net.py"
        path.write_text(HEAD + source)
        report = api.check_all([str(path)], api.Options(trace=request.param))
        assert report.layers and not report.unanalysed
        ours = [f for f in report.findings if f.code in ("INIT009", "INIT013", "INIT015")]
        return [(finding.code, set(finding.parameters)) for finding in ours]

    return judged


LINEAR = "nn.Linear(64, 64)"
PLAIN = "return self.out(self.first(x).relu())"
CONSTANT = "nn.init.constant_(self.first.weight, 0.1)"
ZEROS = "for p in self.first.parameters(): nn.init.zeros_(p)"


@pytest.mark.parametrize(
    ("layer", "fill", "forward"),
    [
        (LINEAR, CONSTANT, PLAIN),
        (LINEAR, "nn.init.ones_(self.first.weight)", "return self.out(self.first(x).sigmoid())"),
        (LINEAR, "self.first.weight.data.fill_(-0.5)", "return self.out(F.gelu(self.first(x)))"),
        (LINEAR, CONSTANT, "return self.out(self.norm(self.first(x)).tanh())"),
        (LINEAR, "for p in self.parameters(): nn.init.constant_(p, 0.01)", PLAIN),
        ("nn.Parameter(torch.ones(64, 64) * 0.1)", "", "return self.out((x @ self.first).relu())"),
        ("nn.Conv2d(3, 64, 3)", CONSTANT, "return self.out(self.first(x).relu().mean((2, 3)))"),
        # No gradient reaches zeros.
        (LINEAR, ZEROS, PLAIN),
        ("nn.Linear(64, 64, bias=False)", ZEROS, PLAIN),
        (LINEAR, "for p in self.parameters(): nn.init.zeros_(p)",
         "return self.out(self.first(x).tanh())"),
        # The gradient of all units is the same.
        (LINEAR, "for p in self.parameters(): nn.init.zeros_(p)",
         "return self.out(self.first(x).sigmoid())"),
    ],
)  # fmt: skip
def test_units_that_are_copies_of_one(found, layer, fill, forward):
    ((code, names),) = found(NET.format(layer=layer, fill=fill, forward=forward))
    assert code == "INIT009" and names <= {"first", "first.weight"}


@pytest.mark.parametrize(
    ("layer", "fill", "forward"),
    [
        # Heads, gates, scorers, offsets, last layers of a branch, one hidden unit.
        (LINEAR, "nn.init.zeros_(self.out.weight)", PLAIN),
        (LINEAR, "nn.init.constant_(self.out.weight, 0.1)", PLAIN),
        (LINEAR, ZEROS, "return self.out(self.norm(x) * self.first(x).sigmoid())"),
        (LINEAR, CONSTANT, "return self.out(self.norm(x) * self.first(x).sigmoid())"),
        (LINEAR, ZEROS, "return self.out(self.first(x).softmax(-1) @ x)"),
        (LINEAR, ZEROS, "return self.out(x + self.first(F.relu(x)))"),
        (LINEAR, ZEROS, "return self.out((x + self.first(self.norm(x))).relu())"),
        ("nn.Linear(64, 1)", CONSTANT, "return self.out(self.first(x).relu() * x)"),
        # What is not trained, or has an input of its own for each output.
        (LINEAR, CONSTANT + "; self.first.requires_grad_(False)", PLAIN),
        ("nn.Conv2d(64, 64, 3, groups=64)", CONSTANT,
         "return self.out(self.first(x).relu().mean((2, 3)))"),
        # The next layer is drawn, and the activation passes a gradient at 0.
        (LINEAR, ZEROS, "return self.out(F.gelu(self.first(x)))"),
        (LINEAR, ZEROS, "return self.out(self.first(x).tanh())"),
        # The bias is drawn.
        (LINEAR, "nn.init.zeros_(self.first.weight)", PLAIN),
        # Not one number in all elements.
        (LINEAR, "nn.init.eye_(self.first.weight)", PLAIN),
        (LINEAR, "with torch.no_grad(): self.first.weight[0] = 1.0", PLAIN),
        (LINEAR, CONSTANT + "; nn.init.xavier_uniform_(self.first.weight)", PLAIN),
    ],
)  # fmt: skip
def test_constants_that_are_meant(found, layer, fill, forward):
    assert found(NET.format(layer=layer, fill=fill, forward=forward)) == []


@pytest.mark.parametrize(
    ("layer", "fill", "names"),
    [
        ("nn.LSTM(64, 64)", "for p in self.first.parameters(): nn.init.constant_(p, 0.1)", 1),
        ("nn.GRUCell(64, 64)", "for p in self.first.parameters(): nn.init.ones_(p)", 1),
        ("nn.LSTM(64, 64)", "nn.init.constant_(self.first.weight_ih_l0, 0.1)", 0),
        ("nn.LSTM(64, 64)", "nn.init.zeros_(self.first.weight_hh_l0)", 0),
        ("nn.LSTM(64, 64)", "for p in self.first.parameters(): nn.init.zeros_(p)", 0),
    ],
)
def test_recurrent_layers(found, layer, fill, names):
    use = "self.first(x[0])" if "Cell" in layer else "self.first(x)[0]"
    forward = f"return self.out({use})"
    assert len(found(NET.format(layer=layer, fill=fill, forward=forward))) == names


SERIES = "self.base(x) + self.lora_up(self.lora_down(x)) * 0.5"
LINEARS = {"down": "nn.Linear(64, 8, bias=False)", "up": "nn.Linear(8, 64, bias=False)"}
ZEROS_OF_BOTH = "for m in (self.lora_down, self.lora_up): nn.init.zeros_(m.weight)"
BARE = {"down": "nn.Parameter(torch.zeros(8, 64))", "up": "nn.Parameter(torch.zeros(64, 8))"}
DRAWN = "for p in (self.lora_down, self.lora_up): nn.init.kaiming_uniform_(p)"
AS_WEIGHT = "F.linear(x, self.base.weight + self.lora_up @ self.lora_down, self.base.bias)"
IN_TURN = "self.base(x) + F.linear(F.linear(F.dropout(x), self.lora_down), self.lora_up)"
TRANSPOSED = "self.base(x) + x @ self.lora_down.T @ self.lora_up.T"


@pytest.mark.parametrize(
    ("factors", "fill", "forward"),
    [
        (LINEARS, ZEROS_OF_BOTH, SERIES),
        (BARE, "", AS_WEIGHT),
        (BARE, "", IN_TURN),
        (BARE, "", TRANSPOSED),
        (BARE, DRAWN, AS_WEIGHT),
        (BARE, DRAWN, IN_TURN),
        (LINEARS, "", SERIES),
        (LINEARS, "nn.init.normal_(self.lora_up.weight, std=0.02)", SERIES),
    ],
)
def test_products_of_two_zeros_and_adapters_of_none(found, factors, fill, forward):
    codes = [code for code, _ in found(PRODUCT.format(**factors, fill=fill, forward=forward))]
    assert codes == ["INIT015"]


@pytest.mark.parametrize(
    ("factors", "fill", "forward"),
    [
        (LINEARS, "nn.init.zeros_(self.lora_up.weight)", SERIES),
        (LINEARS, "nn.init.zeros_(self.lora_down.weight)", SERIES),
        (BARE, "nn.init.normal_(self.lora_down, std=0.02)", AS_WEIGHT),
        (BARE, "nn.init.normal_(self.lora_up, std=0.02)", TRANSPOSED),
        # A bias between them, or something nonlinear, or weights that are not trained.
        (LINEARS | {"down": "nn.Linear(64, 8)"}, ZEROS_OF_BOTH, SERIES),
        (LINEARS, ZEROS_OF_BOTH, "self.base(x) + self.lora_up(F.gelu(self.lora_down(x)))"),
        (LINEARS, ZEROS_OF_BOTH + "\n        self.lora_up.requires_grad_(False)", SERIES),
        # Not multiplied with one another.
        (LINEARS, "nn.init.zeros_(self.lora_up.weight)", "self.base(x), self.lora_down(x)"),
    ],
)
def test_products_that_start_as_zero_and_learn(found, factors, fill, forward):
    source = PRODUCT.format(**factors, fill=fill, forward=forward)
    assert [code for code, _ in found(source) if code == "INIT015"] == []


def test_two_drawn_layers_are_an_adapter_only_by_name(found):
    source = PRODUCT.format(**LINEARS, fill="", forward=SERIES).replace("lora_", "")
    assert found(source) == []


@pytest.mark.parametrize(
    ("scaled", "std", "wrong"),
    [
        ("(self.o, self.w2, self.w3)", "0.02 / (2 * depth) ** 0.5", ["w3"]),
        ("(self.o, self.w2, self.v)", "0.02 / depth ** 0.5", ["v"]),
        ("(self.o, self.w2, self.w1)", "0.02 / (2 * (place + 1)) ** 0.5", ["w1"]),
        ("(self.o, self.w2)", "0.02 / (2 * depth) ** 0.5", []),
        ("(self.o, self.w2)", "0.02 / (2 * (place + 1)) ** 0.5", []),
        ("(self.o, self.w2, self.w3)", "0.013", []),
        ("(self.w3,)", "0.02 / (2 * depth) ** 0.5", ["w3"]),
        ("(self.w3,)", "0.01", []),
        ("()", "0.02", []),
    ],
)
def test_the_scale_of_the_depth(found, scaled, std, wrong):
    names = {".".join(n.split(".")[2:]) for _, names in found(
        STACK.format(scaled=scaled, std=std, depth=6)
    ) for n in names}  # fmt: skip
    assert names == {f"{name}.weight" for name in wrong}


def test_stds_that_are_computed_from_fans(found):
    """That their ratio is the root of the depth is chance, as in a stack of convolutions."""
    source = STACK.format(scaled="(self.o, self.w2, self.w1)", std="0.02", depth=4)
    assert found(source.replace("std=0.02)", "std=layer.weight.shape[0] ** -0.5)")) == []


def test_one_block_has_no_depth(found):
    source = STACK.format(scaled="(self.o, self.w2, self.w3)", std="0.02 / 2 ** 0.5", depth=1)
    assert found(source) == []
