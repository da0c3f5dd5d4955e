"""INIT010, INIT012 and INIT017: equal copies, bounds without effect, draws of every ancestor."""

import pytest
from judged import found, lines

ENGINES = [
    pytest.param(False, id="read"),
    pytest.param(True, id="traced", marks=pytest.mark.torch),
]

STACK = """\
import copy
from copy import deepcopy

from torch import nn


class Block(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return x + self.fc(self.norm(x))


def clones(module, count):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(count)])


class Net(nn.Module):
    def __init__(self, count=3):
        super().__init__()
        {stack}
        self.head = nn.Linear(8, 2)
        {after}

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)
"""


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    "stack",
    [
        "self.blocks = clones(Block(), count)",
        "block = Block(); self.blocks = nn.ModuleList(deepcopy(block) for _ in range(count))",
        "one = Block(); self.blocks = nn.Sequential(*[deepcopy(one) for _ in range(4)])",
        "one = Block(); self.blocks = nn.ModuleList([one]); self.blocks.append(deepcopy(one))",
        "self.blocks = nn.ModuleList()\n        one = Block()\n        for _ in range(count):\n"
        "            self.blocks.append(deepcopy(one))",
    ],
)
def test_a_stack_of_copies(stack, trace, tmp_path):
    (finding,) = found(tmp_path, STACK.format(stack=stack, after="pass"), "INIT010", trace)
    assert finding.parameters[0].startswith("blocks.")
    assert finding.parameters[0].endswith("fc.weight")


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("stack", "after"),
    [
        ("self.blocks = nn.ModuleList([Block() for _ in range(count)])", "pass"),
        ("self.blocks = clones(Block(), 1)", "pass"),
        (
            "self.blocks = clones(Block(), count)",
            "for p in self.parameters():\n            if p.dim() > 1: nn.init.xavier_normal_(p)",
        ),
        (
            "self.blocks = clones(Block(), count)",
            "for b in self.blocks: b.fc.reset_parameters()",
        ),
        (
            "self.blocks = nn.ModuleList([Block(), Block()])",
            "self.teacher = deepcopy(self.blocks)",
        ),
        ("self.blocks = clones(nn.LayerNorm(8), count)", "pass"),
        (
            "self.blocks = clones(Block(), count)",
            "for b in self.blocks: nn.init.zeros_(b.fc.weight)",
        ),
        (
            "self.blocks = clones(Block(), count)",
            "for b in self.blocks: b.requires_grad_(False)\n"
            "        for p in self.blocks.parameters(): p.requires_grad = False",
        ),
    ],
)
def test_layers_that_differ_or_need_not(stack, after, trace, tmp_path):
    assert found(tmp_path, STACK.format(stack=stack, after=after), "INIT010", trace) == ()


def test_a_part_that_a_function_copies_and_draws_again(tmp_path):
    source = STACK.format(stack="self.blocks = clones(Block(), count)", after="pass")
    make = """\


class Whole(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.nets = clones(net, 2)

    def forward(self, x):
        return self.nets[0](x) + self.nets[1](x)


def make():
    net = Net()
    model = Whole(copy.deepcopy(net))
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
    return model
"""
    assert found(tmp_path, source + make, "INIT010") == ()
    assert found(tmp_path, source + make.split("    for p")[0] + "    return model\n", "INIT010")


ENCODER = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=16, depth={depth}):
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 4, 32, batch_first=True)
        self.encoder = {encoder}
        self.head = nn.Linear(width, 2)
        {after}

    def forward(self, x):
        return self.head(self.encoder(x))
"""
TORCHS = "nn.TransformerEncoder(layer, depth)"


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("encoder", "depth", "after", "count"),
    [
        (TORCHS, 4, "pass", 1),
        ("nn.TransformerEncoder(encoder_layer=layer, num_layers=2)", 2, "pass", 1),
        (TORCHS, 1, "pass", 0),
        ("layer", 1, "pass", 0),
        (
            TORCHS,
            4,
            "for p in self.parameters():\n            if p.dim() > 1: nn.init.xavier_uniform_(p)",
            0,
        ),
        (
            TORCHS,
            4,
            "for m in self.encoder.modules():\n"
            "            if hasattr(m, 'in_proj_weight'): m._reset_parameters()\n"
            "            if isinstance(m, nn.Linear): m.reset_parameters()",
            0,
        ),
        (TORCHS, 4, "for p in self.head.parameters(): nn.init.zeros_(p)", 1),
    ],
)
def test_the_stack_that_torch_copies(encoder, depth, after, count, trace, tmp_path):
    source = ENCODER.format(encoder=encoder, depth=depth, after=after)
    assert bool(found(tmp_path, source, "INIT010", trace)) == bool(count)


DRAW = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width=64, depth=4):
        super().__init__()
        self.head = nn.Linear(width, 10)
        nn.init.trunc_normal_(self.head.weight, {given})

    def forward(self, x):
        return self.head(x)
"""


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("given", "fires"),
    [
        ("std=0.02", False),
        ("0.0, 0.02, -2, 2", False),
        ("std=0.02 / (2 * depth) ** 0.5", False),
        ("std=width ** -0.5 / 4, a=-3, b=3", False),
        ("std=1.0", True),
        ("std=0.02, a=-0.04, b=0.04", True),
        ("std=0.5", True),
        ("std=0.02, a=-2, b=0.0", True),
        ("mean=1.9, std=0.02", True),
    ],
)
def test_bounds_that_are_reached_or_not(given, fires, trace, tmp_path):
    assert bool(found(tmp_path, DRAW.format(given=given), "INIT012", trace)) != fires


NESTED = """\
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.rnn = nn.GRU(8, 8)

    def forward(self, x):
        return self.rnn(self.fc(x))[0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(8, 2)
        {walk}

    def fill(self, module):
        {fill}

    def forward(self, x):
        return self.head(self.blocks(x))
"""
APPLY = "self.apply(self.fill)"
DRAWN = "nn.init.normal_(p, std=0.1)"


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("walk", "fill"),
    [
        (APPLY, f"for p in module.parameters():\n            {DRAWN}"),
        (APPLY, f"for name, p in module.named_parameters():\n            {DRAWN}"),
        (
            "for m in self.modules():\n            self.fill(m)",
            f"for name, p in module.named_parameters():\n            {DRAWN}",
        ),
        (
            APPLY,
            "if not isinstance(module, nn.Sequential):\n"
            f"            for p in module.parameters():\n                {DRAWN}",
        ),
    ],
)
def test_every_ancestor_draws_again(walk, fill, trace, tmp_path):
    assert lines(tmp_path, NESTED.format(walk=walk, fill=fill), "INIT017", trace) == {DRAWN}


@pytest.mark.parametrize("trace", ENGINES)
@pytest.mark.parametrize(
    ("walk", "fill"),
    [
        (APPLY, f"for p in module.parameters(recurse=False):\n            {DRAWN}"),
        (APPLY, f"for _, p in module.named_parameters('', False):\n            {DRAWN}"),
        ("self.fill(self)", f"for p in module.parameters():\n            {DRAWN}"),
        (
            APPLY,
            "if isinstance(module, nn.GRU):\n"
            f"            for p in module.parameters():\n                {DRAWN}",
        ),
        (
            APPLY,
            "if isinstance(module, Block):\n"
            f"            for p in module.parameters():\n                {DRAWN}",
        ),
        (
            APPLY,
            "for name, p in module.named_parameters():\n"
            f"            if name == 'fc.weight':\n                {DRAWN}",
        ),
        (APPLY, "if isinstance(module, nn.Linear): nn.init.normal_(module.weight)"),
    ],
)
def test_every_parameter_is_drawn_once(walk, fill, trace, tmp_path):
    assert found(tmp_path, NESTED.format(walk=walk, fill=fill), "INIT017", trace) == ()
