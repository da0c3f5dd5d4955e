"""Model files with tokens and trees exchanged at random: reading ends in a report, or an error."""

import ast
import contextlib
import copy
import io
import random
import tokenize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import initlint
from initlint import InitlintError

SEEDS = {
    "convolutions": '''
import torch
from torch import nn
import torch.nn.functional as F

class Block(nn.Module):
    def __init__(self, width, stride=1, act=nn.ReLU):
        super().__init__()
        self.conv1 = nn.Conv2d(width, 2 * width, 3, stride, padding=1, groups=2, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.act = act(inplace=True)
        self.conv2 = nn.ConvTranspose2d(2 * width, width, kernel_size=(3, 3), bias=stride > 1)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        y = self.act(self.norm(self.conv1(x)))
        return x + self.conv2(y) * 0.5

class Net(nn.Module):
    def __init__(self, widths=(16, 32), classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 7), nn.LeakyReLU(0.2))
        self.blocks = nn.ModuleList([Block(w, stride=i + 1) for i, w in enumerate(widths)])
        self.head = nn.Linear(widths[-1], classes)
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(m.weight, gain=nn.init.calculate_gain("tanh"))
                if m.bias is not None:
                    m.bias.data.zero_()

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = F.relu(block(x))
        return torch.sigmoid(self.head(x.mean([2, 3])))

def net(pretrained=False, **kwargs):
    return Net(widths=[2 ** i for i in range(3, 6)], **kwargs)
''',
    "attention": '''
import math, re, copy
from functools import partial
import torch
from torch import nn

cfg = {"tiny": dict(dim=64, heads=4), "base": dict(dim=768, heads=12)}

class Attention(nn.Module):
    def __init__(self, dim, heads=8, qkv_bias=True):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 1))
        self.weight = nn.Parameter(torch.empty(dim, dim).normal_(0, 0.02))

    def forward(self, x, mask=None):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1)) * self.scale + self.bias
        if mask is not None:
            a = a.masked_fill(mask == 0, float("-inf"))
        elif self.training and n > 3:
            a = a * 2
        x = (a.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)
        return self.proj(x @ self.weight), {"a": a, "x": [x, x][0]}

class Encoder(nn.Module):
    def __init__(self, kind="tiny", depth=2, norm=partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        args = cfg[kind]
        layer = nn.Sequential(norm(args["dim"]), nn.Linear(args["dim"], 4 * args["dim"]), nn.GELU())
        self.layers = nn.ModuleDict({f"l{i}": copy.deepcopy(layer) for i in range(depth)})
        self.attn = Attention(**args)
        self.apply(self._init)

    @staticmethod
    def _init(m):
        if type(m) == nn.Linear and hasattr(m, "weight"):
            nn.init.trunc_normal_(m.weight, std=math.sqrt(2.0 / m.weight.shape[1]))

    def forward(self, x: torch.Tensor, *rest, flag: bool = True):
        try:
            x, extra = self.attn(x, *rest)
        except ValueError as e:
            raise RuntimeError(f"no {e!r:>{10}}") from e
        while x.max() > 3:
            x = torch.tanh(x) if flag else x.clamp(min=0)
            if x.sum() < 1:
                break
        else:
            x = x[..., :-1]
        return sum(layer(x) for layer in self.layers.values()), [i for i in range(9) if i % 2]

model = nn.Sequential(nn.Linear(4, 8), nn.ELU(), nn.Linear(8, 2))
''',
    "recurrence": '''
import torch
from torch import nn
from dataclasses import dataclass

@dataclass
class Config:
    size: int = 32
    names: list = None

class Cell(nn.Module):
    def __init__(self, config: Config = Config(), layers=2):
        super(Cell, self).__init__()
        n = config.size
        self.rnn = nn.LSTM(n, n, num_layers=layers, bidirectional=True)
        self.embed = nn.Embedding(100, n, padding_idx=0)
        self.gate = nn.Parameter(torch.Tensor(n, 2 * n))
        self.out = nn.utils.weight_norm(nn.Linear(2 * n, "%d" % 3 and n))
        self.reset_parameters()

    def reset_parameters(self):
        for name, p in self.named_parameters():
            if "weight" in name and p.dim() > 1:
                nn.init.orthogonal_(p)
            elif name.endswith("bias"):
                p.data.fill_(0)
        with torch.no_grad():
            self.gate.uniform_(-0.1, 0.1).mul_(2)

    @property
    def width(self):
        return self.out.weight.size(0)

    def forward(self, tokens, state=None):
        x = self.embed(tokens)
        x, (h, c) = self.rnn(x, state)
        y = torch.einsum("bnd,hd->bnh", x, self.gate)
        match tokens:
            case [first, *_]:
                y = y + first
            case {"k": v}:
                y = y * v
        g = lambda t, k=1: t * torch.sigmoid(t) / k
        return g(self.out(x)), y if (z := h) is not None else c
''',
}  # fmt: skip
# What no model file holds, and a hostile one may.
ODD = [
    *("1e400", "-1", "0", "10**400", "float('nan')", "0x" + "f" * 40, "2**63", "None", "...", "''"),
    *("()", "[]", "{}", "*", "**", "x", "self", "super()", "lambda: x", "(t := t, t)", "not", "-"),
    *("nn", "torch", "F", "m", "range(10**9)", "'a' * 10**9", "[x] * 10**9", "if", "for", "while"),
    *("yield", "await", "return", "del", "global x", "nonlocal x", "class", "@", ":", "=", "\n"),
    *("\0", "\ud800", "\\", "'''", "#", "\t", "é", "f'{x!r:{x}}'", "b'\\xff'", "1_000", "0j"),
]


def with_other_tokens(text, chance):
    """The text with tokens dropped, doubled, swapped, or taken from elsewhere."""
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        tokens = [t.string for t in tokenize.generate_tokens(io.StringIO(text).readline)]
        places = [p for p, token in enumerate(tokens) if token.strip()]
        lines = text.splitlines(keepends=True)
        spots = [
            t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.string.strip()
        ]
        for spot in sorted(chance.sample(spots, chance.randint(1, 4)), key=lambda t: t.start)[::-1]:
            if spot.start[0] != spot.end[0]:
                continue
            line = lines[spot.start[0] - 1]
            other = chance.choice(
                [tokens[chance.choice(places)], chance.choice(ODD), "", spot.string * 2]
            )
            lines[spot.start[0] - 1] = line[: spot.start[1]] + other + line[spot.end[1] :]
        return "".join(lines)
    return text


def with_other_trees(text, chance):
    """The text with expressions and statements put in place of one another."""
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.expr, ast.stmt))]
    for _ in range(chance.randint(1, 4)):
        place = chance.choice(nodes)
        kind = ast.expr if isinstance(place, ast.expr) else ast.stmt
        other = copy.deepcopy(chance.choice([n for n in nodes if isinstance(n, kind)]))
        if kind is ast.expr and chance.random() < 0.3:
            with contextlib.suppress(SyntaxError, ValueError):
                other = ast.parse(chance.choice(ODD), mode="eval").body
        _replace(tree, place, other)
    try:
        return ast.unparse(tree)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return text


def _replace(tree, place, other):
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is place:
                setattr(node, name, other)
                return
            if isinstance(value, list) and any(item is place for item in value):
                value[next(p for p, item in enumerate(value) if item is place)] = other
                return


def changed(seed, number):
    chance = random.Random(number)
    text = SEEDS[seed]
    for _ in range(chance.randint(1, 2)):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            text = chance.choice((with_other_tokens, with_other_trees))(text, chance)
    return text


def holds(text):
    """Whether reading a text ends in a report without a bug, or in an error that is meant."""
    try:
        report = initlint.check(text + "\n")
    except InitlintError:
        return True
    str(report)
    return not any("bug" in gap.reason for gap in report.unanalysed)


SOURCES = st.builds(changed, st.sampled_from(sorted(SEEDS)), st.integers(0, 1 << 32))
QUIET = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


@pytest.mark.slow
@given(SOURCES)
@settings(max_examples=200, **QUIET)
def test_reading_ends_in_a_report(text):
    assert holds(text), text


@pytest.mark.corpus
@given(SOURCES)
@settings(max_examples=3000, **QUIET)
def test_reading_ends_in_a_report_for_many(text):
    assert holds(text), text


@pytest.mark.parametrize("seed", SEEDS)
def test_the_seeds_are_judged(seed):
    report = initlint.check(SEEDS[seed])
    assert report.layers and report.unanalysed == ()


def test_what_is_changed_can_often_be_parsed():
    """Else nothing but the parser would be tested."""
    texts = [changed(seed, number) for seed in SEEDS for number in range(30)]
    parsed = 0
    for text in texts:
        with contextlib.suppress(SyntaxError, ValueError):
            ast.parse(text)
            parsed += text not in SEEDS.values()
    assert parsed > len(texts) / 4
