"""INIT301 to INIT303: what several layers do to the signal together, in either engine."""

import pytest

from initlint import api
from initlint.judge.rulebook import load

CODES = frozenset(code for code in load().functions if code.startswith(("INIT1", "INIT3")))


def found(tmp_path, source, trace):
    """The findings of INIT1 and INIT3 in the class Net."""
    path = tmp_path / "net.py"
    path.write_text(source)
    report = api.check_all([str(path)], api.Options(trace=trace, codes=CODES))
    assert report.layers and not any("bug in initlint" in gap.reason for gap in report.unanalysed)
    return [finding for finding in report.findings if finding.model.endswith("Net")]


both = pytest.mark.parametrize(
    "trace",
    [pytest.param(False, id="read"), pytest.param(True, id="traced", marks=pytest.mark.torch)],
)
HEAD = """import math
import torch
from torch import nn
import torch.nn.functional as F


"""
RUN = (
    HEAD
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range({count})])
        self.norm, self.out = nn.LayerNorm(64), nn.Linear(64, 10)
        for layer in self.layers:
            {fill}

    def forward(self, x):
        x = self.first(x)
        for i, layer in enumerate(self.layers):
            x = {step}
        return self.out({end})
"""
)
NORMAL, UNIFORM = "nn.init.normal_(layer.weight, std={})", "nn.init.uniform_(layer.weight)"
KAIMING = 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")'
RUNS = {
    "PyTorch's default": ("INIT301", 10, "pass", "layer(x)", "gradient by 0.004"),
    "dropout between": ("INIT301", 10, "pass", "F.dropout(layer(x), 0.1)", "by 0.00"),
    "a small std": ("INIT301", 4, NORMAL.format(0.02), "layer(x)", "by 0.0007"),
    "a large std": ("INIT302", 4, NORMAL.format(0.6), "layer(x)", "signal by 530"),
    "a mean": ("INIT302", 3, UNIFORM, "layer(x)", "signal by 4100"),
}
QUIET = {
    "few layers": (6, "pass", "layer(x)", "x"),
    "Xavier": (20, "nn.init.xavier_uniform_(layer.weight)", "layer(x)", "x"),
    "orthogonal": (20, "nn.init.orthogonal_(layer.weight)", "layer(x)", "x"),
    "identity": (20, "nn.init.eye_(layer.weight)", "layer(x)", "x"),
    "zeros": (20, "nn.init.zeros_(layer.weight)", "layer(x)", "x"),
    "a norm at the end": (20, "pass", "layer(x)", "self.norm(x)"),
    "norms between": (20, "pass", "self.norm(layer(x))", "x"),
    "skips": (20, "pass", "x + layer(x)", "x"),
    "another initialiser": (20, "elsewhere(layer)", "layer(x)", "x"),
    "an operation that is not known": (8, "pass", "torch.special.erfcx(layer(x))", "x"),
}


@both
@pytest.mark.parametrize(("code", "count", "fill", "step", "said"), RUNS.values(), ids=RUNS)
def test_a_run_is_reported_once(tmp_path, trace, code, count, fill, step, said):
    source = RUN.format(count=count, fill=fill, step=step, end="x")
    (finding,) = found(tmp_path, source, trace)
    assert finding.code == code and finding.fix is None
    assert finding.layer.startswith("layers.") and said in finding.message
    assert len(finding.message) <= 160


@both
@pytest.mark.parametrize(("count", "fill", "step", "end"), QUIET.values(), ids=QUIET)
def test_a_run_is_not_reported(tmp_path, trace, count, fill, step, end):
    source = RUN.format(count=count, fill=fill, step=step, end=end)
    if "elsewhere" in source:
        if trace:
            pytest.skip("what is imported does not exist")
        source = f"from somewhere import elsewhere\n{source}"
    assert found(tmp_path, source, trace) == []


@both
def test_what_rules_on_layers_report_is_not_said_again(tmp_path, trace):
    step = "layer(x).relu() if i % 2 else layer(x)"
    source = RUN.format(count=20, fill="pass", step=step, end="x")
    codes = {finding.code for finding in found(tmp_path, source, trace)}
    assert codes == {"INIT101"}


STREAM = (
    HEAD
    + """class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)
        self.norm, self.scale = nn.LayerNorm(64), nn.Parameter(torch.zeros(1))
        for layer in (self.a, self.b):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        {fill}

    def forward(self, x):
        return {step}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.out = nn.Linear(64, 64), nn.Linear(64, 10)
        self.blocks, self.norm = nn.Sequential(*[Block() for _ in range({count})]), nn.LayerNorm(64)

    def forward(self, x):
        return self.out({end}(self.blocks(self.first(x))))
"""
)
PLAIN = "x + self.b(self.a(x).relu())"
GROWING = {
    "Kaiming": (10, "pass", PLAIN, "multiply the stream by 240"),
    "a rectified stream": (10, "pass", "(x + self.b(self.a(x).relu())).relu()", "by "),
    "an activation before the first layer": (
        20,
        "pass",
        "x + self.b(self.a(x.relu()).relu())",
        "by",
    ),
    "Xavier": (20, "nn.init.xavier_normal_(self.b.weight)", PLAIN, "multiply the stream by 1000"),
    "one layer": (12, "pass", "x + self.a(x)", "by 730"),
}
KEPT = {
    "five blocks": (5, "pass", PLAIN, ""),
    "zeros": (40, "nn.init.zeros_(self.b.weight)", PLAIN, ""),
    "PyTorch's default": (20, "self.a.reset_parameters(); self.b.reset_parameters()", PLAIN, ""),
    "divided": (20, "nn.init.normal_(self.b.weight, std=math.sqrt(2 / 64 / 20))", PLAIN, ""),
    "a norm in the branch": (40, "pass", "x + self.b(self.a(self.norm(x)).relu())", ""),
    "a norm behind the branch": (40, "pass", "x + self.norm(self.b(self.a(x).relu()))", ""),
    "a norm behind each block": (40, "pass", f"self.norm({PLAIN})", ""),
    "a norm behind the stream": (40, "pass", PLAIN, "self.norm"),
    "a learned factor of zero": (40, "pass", "x + self.scale * self.b(self.a(x).relu())", ""),
    "halves": (40, "pass", "x * 0.6 + 0.4 * self.b(self.a(x).relu())", ""),
}


@both
@pytest.mark.parametrize(("count", "fill", "step", "said"), GROWING.values(), ids=GROWING)
def test_a_stream_that_grows_is_reported_once(tmp_path, trace, count, fill, step, said):
    source = STREAM.format(count=count, fill=fill, step=step, end="")
    (finding,) = found(tmp_path, source, trace)
    assert finding.layer.startswith("blocks.0.") and len(finding.parameters) == count
    assert finding.fix is not None and finding.fix.applicability == "unsafe"
    assert f"first of {count} residual branches" in finding.message and said in finding.message
    assert len(finding.message.partition(" (" + str(count - 1) + " more")[0]) <= 160


@both
@pytest.mark.parametrize(("count", "fill", "step", "end"), KEPT.values(), ids=KEPT)
def test_a_stream_that_stays_is_not_reported(tmp_path, trace, count, fill, step, end):
    source = STREAM.format(count=count, fill=fill, step=step, end=end)
    assert found(tmp_path, source, trace) == []


ATTENDING = (
    HEAD
    + """class Block(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.v = nn.Linear(width, width)
        self.o = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        for layer in self.children():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        {fill}

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(32)
        x = x + self.o(scores.softmax(-1) @ self.v(x))
        return x + self.down(F.relu(self.up(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.out = nn.Linear(8, 32), nn.Linear(32, 10)
        self.blocks = nn.Sequential(*[Block() for _ in range(4)])

    def forward(self, x):
        return self.out(self.blocks(self.first(x)).mean(1))
"""
)
LOUD = {
    "Kaiming": ("pass", "1.41×"),
    "Xavier": ("nn.init.xavier_normal_(self.v.weight)", ""),
    "PyTorch's default": ("self.v.reset_parameters()", ""),
    "a large std": ("nn.init.normal_(self.v.weight, std=1)", "5.66×"),
    "zeros": ("nn.init.zeros_(self.v.weight)", ""),
}


@both
@pytest.mark.parametrize(("fill", "said"), LOUD.values(), ids=LOUD)
def test_values_inside_loud_branches_are_reported_with_them(tmp_path, trace, fill, said):
    every = found(tmp_path, ATTENDING.format(fill=fill), trace)
    assert {finding.code for finding in every} <= {"INIT303"}
    inner = [x for x in every if x.layer.endswith(".v")]
    assert [x.layer for x in inner] == (["blocks.0.v"] if said else [])
    assert all(len(x.parameters) == 4 and said in x.message for x in inner)
    # Queries and keys only weigh what others hold.
    assert not any(x.layer.endswith((".q", ".k", ".up")) for x in every)


def test_the_fix_gives_such_values_xavier():
    fixed = api.fix(ATTENDING.format(fill="pass"), unsafe=True)
    assert "nn.init.xavier_normal_(self.v.weight)" in fixed.source
    assert "nn.init.zeros_(self.o.weight)" in fixed.source
    assert api.check(fixed.source).findings == ()


BRANCHES = (
    HEAD
    + """class Block(nn.Module):
    def __init__(self, width={width}):
        super().__init__()
        self.norm, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
        self.a, self.b = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-5))
        for layer in (self.a, self.b):
            nn.init.trunc_normal_(layer.weight, std={std})
        {fill}

    def forward(self, x):
        return {step}


class Net(nn.Module):
    def __init__(self, width={width}):
        super().__init__()
        self.first, self.out = {first}, nn.Linear(width, 10)
        self.blocks = nn.ModuleList([Block() for _ in range({count})])
        self.norm = nn.LayerNorm(width)
        {also}

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))
"""
)
PRENORM = "x + self.b(F.gelu(self.a(self.norm(x))))"
USUAL = {"width": 64, "std": 0.02, "fill": "pass", "step": PRENORM, "count": 6}
USUAL |= {"first": "nn.Linear(64, width)", "also": "pass"}
TABLE = {"first": "nn.Embedding(100, width)"}
SMALL = "nn.init.normal_(self.first.weight, std={})"
NARROW = {"width": 24, "std": 0.005, **TABLE}
NARROW |= {"fill": "nn.init.zeros_(self.a.bias); nn.init.zeros_(self.b.bias)"}
FAINT = {
    "0.02 at 64": {},
    "more blocks": {"count": 8},
    "a smaller std": {"std": 0.005, "width": 256},
    "dropout": {"step": "x + F.dropout(self.b(F.gelu(self.a(self.norm(x)))), 0.1)"},
    "a large embedding": TABLE,
    "an embedding of 0.1": {**NARROW, "also": SMALL.format(0.1)},
}
STRONG = {
    "a larger std": {"std": 0.07},
    "PyTorch's default": {"fill": "self.a.reset_parameters(); self.b.reset_parameters()"},
    "0.02 at 768": {"width": 768},
    "an embedding of 0.02": {**TABLE, "also": SMALL.format(0.02)},
    "a small stream": {**NARROW, "also": SMALL.format(0.02)},
    "divided by the depth": {"fill": "nn.init.normal_(self.b.weight, std=0.02 / 12**0.5)"},
    "zeros at the end": {"fill": "nn.init.zeros_(self.b.weight)"},
    "a learned scale": {"step": "x + self.scale * self.b(F.gelu(self.a(self.norm(x))))"},
    "a norm behind the branch": {"step": "x + self.last(self.b(F.gelu(self.a(self.norm(x)))))"},
    "a norm behind the sum": {"step": "self.last(x + self.b(F.gelu(self.a(self.norm(x)))))"},
    "two blocks": {"count": 2},
    "an operation that is not known": {
        "step": "x + self.b(torch.special.erfcx(self.a(self.norm(x))))"
    },
}


@both
@pytest.mark.parametrize("other", FAINT.values(), ids=FAINT)
def test_branches_that_add_nothing_are_reported_once(tmp_path, trace, other):
    (finding,) = found(tmp_path, BRANCHES.format(**USUAL | other), trace)
    assert (finding.code, finding.layer, finding.fix) == ("INIT301", "blocks.0.b", None)
    assert "their branches add " in finding.message and len(finding.message) <= 160


@both
@pytest.mark.parametrize("other", STRONG.values(), ids=STRONG)
def test_branches_that_add_enough_are_not_reported(tmp_path, trace, other):
    assert found(tmp_path, BRANCHES.format(**USUAL | other), trace) == []
