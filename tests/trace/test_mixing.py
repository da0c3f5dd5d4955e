"""A matrix product with data that no weight has touched only mixes, as pooling does."""

import pytest
import torch
from torch import nn

import initlint
from initlint.tracing.build import Built
from initlint.tracing.layers import layers_of


class Model(nn.Module):
    def __init__(self, run):
        super().__init__()
        self.run = run
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.w = nn.Parameter(torch.randn(8, 8))
        self.register_buffer("adj", torch.eye(6))

    def forward(self, x, adj):
        return self.run(self, x, adj)


def following(run, parameter="a.weight", edge=(6, 6)):
    model = Model(run)
    found = layers_of(Built("model", model, None), (torch.zeros(6, 8), torch.eye(*edge)))
    return {layer.parameter: layer.following for layer in found}[parameter]


def normalised(adj):
    return adj / adj.sum(1, keepdim=True).clamp(min=1)


MIXED = {
    "@": lambda m, x, adj: adj @ m.a(x),
    "mm": lambda m, x, adj: torch.mm(adj, m.a(x)),
    "spmm": lambda m, x, adj: torch.spmm(adj, m.a(x)),
    "sparse.mm": lambda m, x, adj: torch.sparse.mm(adj, m.a(x)),
    "bmm": lambda m, x, adj: torch.bmm(adj[None], m.a(x)[None])[0],
    "einsum": lambda m, x, adj: torch.einsum("nm,md->nd", adj, m.a(x)),
    "normalised by hand": lambda m, x, adj: normalised(adj) @ m.a(x),
    "a buffer": lambda m, x, adj: m.adj @ m.a(x),
    "a buffer, method": lambda m, x, adj: m.adj.matmul(m.a(x)),
}


@pytest.mark.parametrize("run", MIXED.values(), ids=MIXED)
def test_a_fixed_mixing_is_looked_through(run):
    answer = following(lambda m, x, adj: torch.relu(run(m, x, adj)))
    assert (answer.activation, "pool" in answer.via) == ("relu", True)


def itself(m, x, adj):
    h = m.a(x)[:, :6]
    return h @ h


NOT_MIXED = {
    "two layers": lambda m, x, adj: m.a(x) @ m.b(x).t(),
    "itself": itself,
    "itself transposed": lambda m, x, adj: m.a(x) @ m.a(x).t(),
    "learned weights of the edges": lambda m, x, adj: (m.b(x) @ x.t() + adj) @ m.a(x),
}


@pytest.mark.parametrize("run", NOT_MIXED.values(), ids=NOT_MIXED)
def test_two_that_are_computed_are_attention(run):
    assert following(lambda m, x, adj: torch.relu(run(m, x, adj))).activation == "attention"


def test_shares_of_the_input_are_no_signal():
    def pooled(m, x, adj):
        return m.b(m.a(x).softmax(0).t() @ x)

    assert following(pooled).activation == "softmax"


def test_a_sparse_product_with_a_parameter_is_a_layer():
    assert following(lambda m, x, adj: torch.spmm(x, m.w).relu(), "w").activation == "relu"


def convolved(m, x, adj):
    for layer in (m.a, m.b, m.c):
        x = torch.relu(adj @ layer(x))
    return x


def test_the_scales_of_a_deep_graph_convolution_are_not_judged():
    # The number of neighbours multiplies the signal, too (tests/judge/test_sums.py).
    model = Model(convolved)
    inputs = (torch.zeros(6, 8), torch.eye(6))
    report = initlint.check(model, *inputs)
    assert report.findings == ()


READ = """
import torch
from torch import nn


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, adj):
        x = torch.relu(adj @ self.a(x))
        x = torch.relu(torch.mm(adj, self.b(x)))
        return self.c(x) @ self.c(x).t()
"""


def test_reading_says_the_same():
    found = {layer.layer: layer.following.activation for layer in initlint.check(READ).layers}
    assert found == {"a": "relu", "b": "relu", "c": "attention"}
