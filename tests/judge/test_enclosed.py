"""Runs between two normalisations, and residual branches that begin small: what is no fault."""

import pytest

BLOCKS = """
    class Block(nn.Module):
        def __init__(self, d=64, depth={depth}):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(depth))
            self.norm = {norm}

        def forward(self, x):
            y = x
            for layer in self.layers[:-1]:
                y = {act}(layer(y))
            return x + self.norm(self.layers[-1](y))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = nn.Linear(64, 64), nn.LayerNorm(64)
            self.blocks = nn.ModuleList(Block() for _ in range(3))
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            x = self.norm(self.first(x))
            for block in self.blocks:
                x = block(x)
            return self.head(x)
"""


@pytest.mark.parametrize(
    ("depth", "act", "norm", "reported"),
    [
        (3, "F.hardswish", "nn.BatchNorm1d(d)", False),
        (3, "F.relu", "nn.LayerNorm(d)", False),
        (5, "F.relu", "nn.BatchNorm1d(d)", False),
        (12, "F.silu", "nn.BatchNorm1d(d)", True),
        (12, "F.gelu", "nn.LayerNorm(d)", True),
    ],
)
def test_a_normalisation_restores_the_signal_until_it_is_as_small_as_its_eps(
    judge, depth, act, norm, reported
):
    found = judge(BLOCKS.format(depth=depth, act=act, norm=norm))
    assert bool(found.findings) == reported


SMALL = """
    class Block(nn.Module):
        def __init__(self, n=16, g=8):
            super().__init__()
            self.a = nn.Conv2d(n, g, 3, padding=1)
            self.b = nn.Conv2d(n + g, g, 3, padding=1)
            self.c = nn.Conv2d(n + 2 * g, n, 3, padding=1)
            for layer in (self.a, self.b, self.c):
                {fill}

        def forward(self, x):
            a = F.leaky_relu(self.a(x), 0.2)
            b = F.leaky_relu(self.b(torch.cat([x, a], 1)), 0.2)
            return x + 0.2 * self.c(torch.cat([x, a, b], 1))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 16, 3, padding=1)
            self.body = nn.Sequential(*[Block() for _ in range(6)])
            self.last = nn.Conv2d(16, 3, 3, padding=1)

        def forward(self, x):
            return self.last(self.body(self.first(x)))
"""
FILLS = (
    "nn.init.kaiming_normal_(layer.weight); layer.weight.data *= 0.1",
    "nn.init.normal_(layer.weight, std=0.001)",
    "nn.init.trunc_normal_(layer.weight, std=0.02)",
    "nn.init.xavier_uniform_(layer.weight, gain=0.1)",
    "pass",
)


@pytest.mark.parametrize("fill", FILLS)
def test_branches_without_a_normalisation_may_begin_small(judge, fill):
    """ESRGAN scales all layers of its branches by 0.1: the stream passes them."""
    assert judge(SMALL.format(fill=fill)).findings == ()


def test_branches_that_begin_large_are_reported(judge):
    found = judge(SMALL.format(fill="nn.init.normal_(layer.weight, std=0.8)"))
    assert {code[:5] for code in found.codes.values()} <= {"INIT1", "INIT3"} and found.codes
