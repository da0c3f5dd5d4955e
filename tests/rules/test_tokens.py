"""INIT306: tokens that drown in what is added to all of them, in either engine."""

import pytest
from judged import found

both = pytest.mark.parametrize(
    "trace",
    [pytest.param(False, id="read"), pytest.param(True, id="traced", marks=pytest.mark.torch)],
)
NET = """import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 64)
        nn.init.normal_(self.embed.weight, std={std})
        self.prompt, self.norm = nn.Parameter({prompt}), nn.LayerNorm(64)
        self.q, self.k, self.v, self.out = [nn.Linear(64, 64) for _ in range(4)]

    def forward(self, ids):
        x = {x}
        y = self.norm(x)
        q, k, v = self.q(y), self.k(y), self.v(y)
        return self.out(x + {attention})
"""
ADDED, ONE = "self.embed(ids) + self.prompt", "torch.randn(64)"
FUSED = "F.scaled_dot_product_attention(q, k, v)"
WRITTEN = "(q @ k.transpose(-1, -2) / 8).softmax(-1) @ v"
DROWNED = {
    "a vector": (0.02, ONE, ADDED, FUSED),
    "written out": (0.02, ONE, ADDED, WRITTEN),
    "with dimensions of one": (0.02, "torch.randn(1, 1, 64)", ADDED, FUSED),
    "from the left": (0.02, ONE, "self.prompt + self.embed(ids)", FUSED),
}
APART = {
    "a small vector": (0.02, "0.02 * torch.randn(64)", ADDED, FUSED),
    "a large table": (1.0, ONE, ADDED, FUSED),
    "a constant, which the norm takes off": (0.02, "torch.ones(64)", ADDED, FUSED),
    "positions": (0.02, "torch.randn(1, 8, 64)", ADDED, FUSED),
    "enlarged tokens": (0.02, ONE, "self.embed(ids) * 40 + self.prompt", FUSED),
    "no attention": (0.02, ONE, ADDED, "v"),
    "no table": (0.02, ONE, "F.one_hot(ids, 64).float() + self.prompt", FUSED),
}


@both
@pytest.mark.parametrize(("std", "prompt", "x", "attention"), DROWNED.values(), ids=DROWNED)
def test_it_is_reported_once(tmp_path, trace, std, prompt, x, attention):
    source = NET.format(std=std, prompt=prompt, x=x, attention=attention)
    (finding,) = found(tmp_path, source, "INIT306", trace)
    assert (finding.parameter, finding.fix) == ("embed.weight", None)
    assert "50 times smaller than what is added to all tokens" in finding.message
    assert len(finding.message) <= 160


@both
@pytest.mark.parametrize(("std", "prompt", "x", "attention"), APART.values(), ids=APART)
def test_it_is_not_reported(tmp_path, trace, std, prompt, x, attention):
    source = NET.format(std=std, prompt=prompt, x=x, attention=attention)
    assert found(tmp_path, source, "INIT306", trace) == ()
