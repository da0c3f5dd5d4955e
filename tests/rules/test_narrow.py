"""INIT301: stacks on numbers whose std is that of a wider model, and what is left alone."""

import pytest
from rules.test_wholes import both, found

import initlint

NET = """import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width={width}):
        super().__init__()
        self.first, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.a, self.b = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x):
        q, k, v = self.qkv(self.first(x)).chunk(3, -1)
        x = x + self.o(F.scaled_dot_product_attention(q, k, v))
        return {step}


class Net(nn.Module):
    def __init__(self, width={width}):
        super().__init__()
        self.stem, self.out = {stem}, nn.Linear(width, 10)
        self.place = nn.Parameter(torch.randn(1, 8, width) * 0.02)
        self.blocks = nn.ModuleList([Block() for _ in range({count})])
        self.norm = nn.LayerNorm(width)
        self.apply(self.start)
        {also}

    def start(self, m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            nn.init.normal_(m.weight, std={std})

    def forward(self, x):
        x = self.stem(x) + {place}
        for block in self.blocks:
            x = block(x)
        return {end}
"""
USUAL = {
    "place": "self.place",
    "width": 64,
    "std": 0.02,
    "stem": "nn.Linear(8, width)",
    "count": 3,
    "also": "pass",
}
USUAL |= {
    "step": "x + self.b(F.gelu(self.a(self.norm(x))))",
    "end": "self.out(self.norm(x).mean(1))",
}
TABLE = {"stem": "nn.Embedding(50, width)"}

REPORTED = {
    "0.02 at 64": {},
    "0.01 at 192": {"width": 192, "std": 0.01},
    "more blocks": {"count": 6},
    "the first position": {"end": "self.out(self.norm(x)[:, 0])"},
    "the first position, before the norm": {"end": "self.out(self.norm(x[:, 0]))"},
    "the last position": {"end": "self.out(self.norm(x)[:, -1])"},
    "places that are looked up": {
        "also": "self.place = nn.Embedding(8, width); nn.init.normal_(self.place.weight, std=0.02)",
        "place": "self.place(torch.arange(8))",
    },
    "a pool to one": {
        "end": "self.out(F.adaptive_avg_pool1d(self.norm(x).transpose(1, 2), 1).flatten(1))"
    },
    "axes in a tuple": {"end": "self.out(self.norm(x).mean((1,)))"},
    "an axis from behind": {"end": "self.out(self.norm(x).mean(dim=-2))"},
    "the largest": {"end": "self.out(self.norm(x).amax(1))"},
    "dropout": {"step": "x + F.dropout(self.b(F.gelu(self.a(self.norm(x)))), 0.1)"},
    "two layers before": {
        "stem": "nn.Sequential(nn.Linear(8, 32), nn.LayerNorm(32), nn.Linear(32, width))"
    },
}
SILENT = {
    "positions in pairs": {
        "end": "self.out(F.avg_pool1d(self.norm(x).transpose(1, 2), 2).transpose(1, 2))"
    },
    "four positions": {
        "end": "self.out(F.adaptive_avg_pool1d(self.norm(x).transpose(1, 2), 4).transpose(1, 2))"
    },
    "a mean of units": {"end": "self.norm(x).mean(2)"},
    "a result for each position": {"end": "self.out(self.norm(x))"},
    "one result of each kind": {"end": "(self.out(self.norm(x).mean(1)), self.norm(x))"},
    "tokens": TABLE,
    "tokens, projected": {"stem": "nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, width))"},
    "0.02 at 192": {"width": 192},
    "0.07 at 64": {"std": 0.07},
    "PyTorch's default": {
        "also": "[m.reset_parameters() for b in self.blocks for m in (b.qkv, b.o)]"
    },
    "divided by the depth": {
        "also": "[nn.init.normal_(b.b.weight, std=0.008) for b in self.blocks]"
    },
    "zeros at the end": {"also": "[nn.init.zeros_(b.b.weight) for b in self.blocks]"},
    "a learned scale": {"step": "x + self.scale * self.b(F.gelu(self.a(self.norm(x))))"},
    "a norm behind the sum": {"step": "self.norm(x + self.b(F.gelu(self.a(x))))"},
    "one block": {"count": 1},
}


@both
@pytest.mark.parametrize("other", REPORTED.values(), ids=REPORTED)
def test_a_std_for_a_wider_model_is_reported_once(tmp_path, trace, other):
    (finding,) = found(tmp_path, NET.format(**USUAL | other), trace)
    assert (finding.code, finding.layer, finding.fix) == ("INIT301", "blocks.0.o", None)
    assert "too small for a width of" in finding.message and len(finding.message) <= 160


@both
@pytest.mark.parametrize("other", SILENT.values(), ids=SILENT)
def test_what_learns_no_faster_with_more_is_left_alone(tmp_path, trace, other):
    assert not found(tmp_path, NET.format(**USUAL | other), trace)


def test_a_mixer_is_one_and_its_width_is_named(tmp_path):
    source = NET.format(
        **USUAL,
    ).replace(
        "nn.Linear(width, 3 * width), nn.Linear(width, width)", "nn.Linear(8, 16), nn.Linear(16, 8)"
    )
    lines = source.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if "chunk(3" in line)
    lines[start : start + 2] = [
        "        h = F.gelu(self.qkv(self.first(x).transpose(1, 2)))\n",
        "        x = x + self.o(h).transpose(1, 2)\n",
    ]
    (finding,) = found(tmp_path, "".join(lines), False)
    assert (finding.code, finding.layer) == ("INIT301", "blocks.0.b")
    assert "a width of 64" in finding.message


def test_a_width_that_nobody_knows_is_left_alone(tmp_path):
    source = NET.format(**USUAL).replace("width=64", "width")
    assert not found(tmp_path, source.replace("Block()", "Block(width)"), False)


@pytest.mark.torch
def test_apply_fills_the_blocks_and_what_it_finds_then_is_nothing():
    scope = {}
    exec(NET.format(**USUAL), scope)
    import torch

    model, x = scope["Net"](), torch.randn(2, 8, 8)
    before = {name: value.clone() for name, value in model.named_parameters()}
    report = initlint.apply_(model, x, seed=0)
    filled = {one.parameter for one in report.outcomes if one.status == "filled"}
    weights = {f"blocks.{i}.{part}.weight" for i in range(3) for part in ("qkv", "o", "a", "b")}
    assert weights <= filled and not filled & {"stem.weight", "out.weight", "place"}
    assert model.stem.weight.equal(before["stem.weight"])
    assert initlint.check(model, x).findings == ()
