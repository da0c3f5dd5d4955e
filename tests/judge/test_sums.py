"""Sums over who knows how many values: what is before and behind them is not judged by its scale.

Four graph networks of this kind with recommended scales: a GIN 79..83 % by default, 50..55 % with
Kaiming; an E(n)-equivariant network 0.12..0.26 by default, 3.6..14.9 filled (docs/outcomes.md).
"""

import pytest
import torch

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(16, 64)
            self.mlps = nn.ModuleList(
                nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)) for _ in range(4)
            )
            self.out = nn.Linear(64, 2)
            self.register_buffer("graph", torch.ones(5, 5))

        def forward(self, x, graph):
            h = self.first(x)
            for mlp in self.mlps:
                h = F.relu(mlp({mixed}))
            return self.out(h.mean(0))
"""
ADJACENCY, EDGES = torch.ones(5, 5), torch.zeros(2, 7, dtype=torch.long)
# How a round takes in the neighbours.
SUMS = {
    "product": ("h + graph @ h", ADJACENCY),
    "mm": ("torch.mm(graph, h)", ADJACENCY),
    "sparse": ("torch.sparse.mm(graph, h)", ADJACENCY),
    "einsum": ("torch.einsum('ij,jd->id', graph, h)", ADJACENCY),
    "with itself": ("torch.matmul(graph + torch.eye(5), h)", ADJACENCY),
    "index_add": ("torch.zeros_like(h).index_add(0, graph[0], h[graph[1]])", EDGES),
    "index_add_": ("h.new_zeros(5, 64).index_add_(0, graph[0], h[graph[1]])", EDGES),
    "scatter_add": (
        "torch.zeros_like(h).scatter_add(0, graph[0][:, None].expand(-1, 64), h[graph[1]])",
        EDGES,
    ),
    "pairs": ("h + (h[:, None] * graph[..., None]).sum(1)", ADJACENCY),
    "of both": ("h + torch.tanh(h[:, None] + h[None]).sum(dim=1)", ADJACENCY),
    "of one": ("h + torch.einsum('nd->d', h)", ADJACENCY),
    "running": ("h + h.cumsum(0)", ADJACENCY),
    "without nan": ("h + torch.nansum(h, 0, keepdim=True)", ADJACENCY),
    "kept": ("h + self.graph @ h", ADJACENCY),
    "kept, einsum": ("torch.einsum('ij,jd->id', self.graph, h)", ADJACENCY),
    "ones": ("h + torch.ones(5, 5) @ h", ADJACENCY),
    "beside": ("h + torch.cat([h, (h[:, None] * graph[..., None]).sum(1)], -1)[:, :64]", ADJACENCY),
}
# What is a mean by its shares, or no sum.
MEANS = {
    "none": ("h", ADJACENCY),
    "shares": ("torch.softmax(graph, -1) @ h", ADJACENCY),
    "weighted": ("(torch.softmax(graph, 0)[:, :1] * h).sum(0, keepdim=True) + h", ADJACENCY),
    "mean": ("h + h.mean(0, keepdim=True)", ADJACENCY),
    "transposed": ("torch.einsum('nd->dn', h).T", ADJACENCY),
    "by units": ("torch.einsum('nd,d->nd', h, torch.ones(64))", ADJACENCY),
}


@pytest.mark.parametrize("form", SUMS)
def test_no_scale_is_wrong_beside_a_sum(judge, form):
    mixed, graph = SUMS[form]
    assert judge(NET.format(mixed=mixed), torch.randn(5, 16), graph).codes == {}


@pytest.mark.parametrize("form", MEANS)
def test_beside_a_mean_it_may_be(judge, form):
    mixed, graph = MEANS[form]
    found = judge(NET.format(mixed=mixed), torch.randn(5, 16), graph)
    assert set(found.codes.values()) == {"INIT101"}


GENERATED = """
    class Net(nn.Module):
        def __init__(self, h=64, w=16):
            super().__init__()
            self.w = w
            self.hyper = nn.Sequential(
                nn.Linear(4, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU()
            )
            self.w1, self.b1, self.w2 = nn.Linear(h, 2 * w), nn.Linear(h, w), nn.Linear(h, w)
        def forward(self, t, x):
            z = self.hyper(t)
            made, bias = self.w1(z).view(-1, 2, self.w), self.b1(z).unsqueeze(1)
            return {result}
"""


@pytest.mark.parametrize(
    "result",
    [
        "torch.bmm(torch.relu(torch.bmm(x, made) + bias), self.w2(z).unsqueeze(2)).squeeze(2)",
        "(F.relu(x @ made + bias) @ self.w2(z)[:, :, None])[..., 0]",
        "torch.einsum('bpw,bw->bp', torch.tanh(x @ made), self.w2(z))",
    ],
)
def test_a_network_that_makes_the_weights_of_another_is_not_judged(judge, result):
    """Loss of the first form .15..0.19 by default, .24..0.31 with recommended scales.

    A bias made so is added to what the data decide, and does no harm: .17..0.20.
    """
    found = judge(GENERATED.format(result=result), torch.randn(3, 4), torch.randn(3, 5, 2))
    assert found.codes.keys() <= {"b1.weight"}


LAST = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                *(part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU()))
            )
            self.out = nn.Linear(64, 64)
        def forward(self, x):
            return {result}
"""


@pytest.mark.parametrize(
    "result",
    [
        "self.out(self.net(x)).sum(-1)",
        "(self.out(self.net(x)) ** 2).sum(0)",
        "self.out(self.net(x))",
    ],
)
def test_a_sum_that_is_the_result_says_nothing_of_the_layers(judge, result):
    found = judge(LAST.format(result=result), torch.randn(3, 64))
    assert set(found.codes.values()) == {"INIT101"}


def test_behind_a_norm_the_sum_does_not_matter(judge):
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.norm = nn.Linear(64, 64), nn.LayerNorm(64)
                self.net = nn.Sequential(
                    *(part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU()))
                )
                self.out = nn.Linear(64, 3)
            def forward(self, x):
                return self.out(self.net(F.relu(self.norm(F.relu(self.a(x)).sum(1)))))
    """
    found = judge(source, torch.randn(3, 5, 64))
    assert "a.weight" not in found.codes
    assert set(found.codes.values()) == {"INIT101"}
