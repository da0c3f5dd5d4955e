"""The follower against the autograd graph, layer by layer, wherever that graph is unambiguous."""

import oracle
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initlint.tracing.build import Built
from initlint.tracing.layers import layers_of


class Hand(nn.Module):
    """Layers for every hand-written forward below."""

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.wide, self.norm = nn.Linear(8, 16), nn.LayerNorm(8)
        self.conv, self.up = nn.Conv1d(4, 4, 3, padding=1, groups=2), nn.ConvTranspose1d(4, 4, 3)
        self.w = nn.Parameter(torch.randn(8, 8))
        self.scale = nn.Parameter(torch.ones(8))
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.run(self, x)


def parts(m, x):
    first, second = m.wide(x).chunk(2, -1)
    return first.sigmoid() * second.tanh()


def residual(m, x):
    for layer in (m.a, m.b, m.c):
        x = x + layer(x)
    return x.relu()


def attention(m, x):
    q, k, v = m.a(x), m.b(x), m.c(x)
    return F.scaled_dot_product_attention(q, k, v)


def dense(m, x):
    y = torch.cat([x, m.a(x).relu()], 1)
    return torch.cat([y, m.b(y).relu()], 1)


FORWARDS = {
    "mlp": lambda m, x: m.c(F.leaky_relu(m.b(F.elu(m.a(x))), 0.1)),
    "views": lambda m, x: m.a(x).flatten(1).unflatten(1, (4, 8)).transpose(1, 2).tanh(),
    "norm": lambda m, x: m.b(F.gelu(m.norm(m.a(x)))),
    "pools": lambda m, x: F.silu(F.max_pool1d(m.conv(m.a(x)), 2).mean(1)),
    "in place": lambda m, x: F.relu_(m.conv(x).add_(x)),
    "in place on a part": lambda m, x: m.b(m.a(x).mul_(2)[:, 1:].relu_()),
    "layer scale": lambda m, x: F.hardtanh(m.scale * m.a(x) + m.scale, 0, 6),
    "bare matrix": lambda m, x: m.b((x @ m.w).softmax(-1)),
    "residual": residual,
    "dense": dense,
    "attention": attention,
    "attention of torch": lambda m, x: m.a(m.attend(x, x, x)[0]).relu(),
    "transposed": lambda m, x: F.mish(m.up(m.conv(x))),
    "two heads": lambda m, x: (m.a(x), m.b(x).sigmoid()),
    "packed": parts,
}


def clear(model, *inputs):
    found = oracle.followings(model, *inputs)
    return {name: met.pop() for name, met in found.items() if len(met) == 1 and "?" not in met}


@pytest.mark.parametrize("run", FORWARDS.values(), ids=FORWARDS)
def test_the_follower_says_what_autograd_says(run):
    model = Hand(run).eval()
    known = clear(model, torch.randn(2, 4, 8))
    found = {
        layer.parameter: layer.following.activation for layer in layers_of(Built("", model, None))
    }
    assert {name: found[name] for name in known} == known
    assert known or run is parts


def test_the_oracle_can_tell():
    """It knows an answer for nearly all of these layers, and is silent where consumers disagree."""
    models = [Hand(run).eval() for run in FORWARDS.values()]
    assert sum(len(clear(model, torch.randn(2, 4, 8))) for model in models) >= 24
    assert clear(Hand(lambda m, x: m.a(x).relu() + m.a(x).tanh()), torch.randn(2, 4, 8)) == {}
