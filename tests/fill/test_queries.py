"""Queries whose products with keys nothing divides by the root of the heads' size."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

D, HEADS = 32, 4
SIZE = D // HEADS


def cut(x, way):
    if way == "unflatten":
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
    if way == "view":
        return x.view(x.size(0), x.size(1), HEADS, SIZE).transpose(1, 2)
    if way == "reshape":
        return x.reshape(x.size(0), -1, HEADS, SIZE).permute(0, 2, 1, 3)
    return x


MASK = torch.ones(6, 6).tril() == 0
# What is made of q and k, and the size by whose root nothing divides.
PLAIN = {
    "matmul": lambda q, k: q @ k.transpose(-2, -1),
    "einsum": lambda q, k: torch.einsum("...qd,...kd->...qk", q, k),
    "torch.matmul": lambda q, k: torch.matmul(q, k.mT),
    "masked": lambda q, k: (q @ k.transpose(-2, -1)).masked_fill(MASK, -1e9),
    "with a mask added": lambda q, k: q @ k.transpose(-2, -1) + MASK * -1e9,
}
DIVIDED = {
    "q": lambda q, k: (q * SIZE**-0.5) @ k.transpose(-2, -1),
    "by a root": lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(SIZE),
    "by a size": lambda q, k: q @ k.transpose(-2, -1) / q.size(-1) ** 0.5,
    "both": lambda q, k: (q * SIZE**-0.25) @ (k * SIZE**-0.25).transpose(-2, -1),
    "normalised": lambda q, k: 10 * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT,
}


class Attention(nn.Module):
    def __init__(self, product, way):
        super().__init__()
        self.norm = nn.LayerNorm(D)
        self.q, self.k, self.v, self.o = (nn.Linear(D, D) for _ in range(4))
        self.product, self.way = product, way

    def logits(self, x):
        y = self.norm(x)
        return self.product(cut(self.q(y), self.way), cut(self.k(y), self.way))

    def forward(self, x):
        taken = self.logits(x).softmax(-1) @ cut(self.v(self.norm(x)), self.way)
        return x + self.o(taken if self.way == "one" else taken.transpose(1, 2).flatten(2))


def stds(model):
    return model.q.weight.std().item(), model.k.weight.std().item()


@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("way", ["unflatten", "view", "reshape", "one"])
@pytest.mark.parametrize("product", PLAIN)
def test_q_makes_up_for_what_is_not_divided(product, way, scope):
    x = torch.randn(8, 6, D)
    model = Attention(PLAIN[product], way)
    report = initlint.apply_(model, x, seed=0, scope=scope)
    size = D if way == "one" else SIZE
    q, k = stds(model)
    assert q * math.sqrt(size) == pytest.approx(k, rel=0.1)
    assert "Vaswani" in {one.parameter: one.reason for one in report.outcomes}["q.weight"]
    logits = model.logits(x)
    assert 0.5 < logits[logits > -1e6].std() < 2


@pytest.mark.parametrize("way", ["unflatten", "view", "one"])
@pytest.mark.parametrize("product", DIVIDED)
def test_what_is_divided_is_filled_as_any_projection(product, way):
    model = Attention(DIVIDED[product], way)
    initlint.apply_(model, torch.randn(8, 6, D), seed=0, scope="all")
    q, k = stds(model)
    assert q == pytest.approx(k, rel=0.1) and q == pytest.approx(D**-0.5, rel=0.1)


def test_the_call_of_torch_may_be_told_not_to_divide():
    class Told(Attention):
        def forward(self, x):
            q, k, v = (cut(layer(self.norm(x)), "view") for layer in (self.q, self.k, self.v))
            taken = F.scaled_dot_product_attention(q, k, v, scale=1.0)
            return x + self.o(taken.transpose(1, 2).flatten(2))

    model = Told(None, "view")
    initlint.apply_(model, torch.randn(8, 6, D), seed=0, scope="all")
    q, k = stds(model)
    assert q * math.sqrt(SIZE) == pytest.approx(k, rel=0.1)


@pytest.mark.parametrize("scope", ["recommended", "all"])
def test_where_the_heads_size_is_not_known_q_and_k_stay(scope):
    class Asked(Attention):
        def logits(self, x):
            y, heads = self.norm(x), int(x.mean() > 1e9) + HEADS
            q, k = (layer(y).chunk(heads, -1)[0] for layer in (self.q, self.k))
            return q @ k.transpose(-2, -1)

        def forward(self, x):
            return x + self.o(self.logits(x).softmax(-1) @ self.v(self.norm(x)))

    model = Asked(None, "one")
    before = model.q.weight.clone(), model.k.weight.clone(), model.v.weight.clone()
    report = initlint.apply_(model, torch.randn(8, 6, D), seed=0, scope=scope)
    assert torch.equal(model.q.weight, before[0]) and torch.equal(model.k.weight, before[1])
    assert not torch.equal(model.v.weight, before[2])
    assert "√d" in {one.parameter: one.reason for one in report.outcomes}["q.weight"]
