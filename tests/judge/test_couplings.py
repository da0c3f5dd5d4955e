"""Affine couplings of normalising flows: their networks are branches, which are left alone.

A RealNVP of six couplings with recommended scales: negative log-likelihood 1.04..1.20 by default,
1.35..1.71 filled (docs/outcomes.md).
"""

import pytest
import torch

FLOW = """
    def net(*more):
        return nn.Sequential(
            nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 4), *more
        )

    class Coupling(nn.Module):
        def __init__(self, flip):
            super().__init__()
            self.flip, self.s, self.t = flip, net(nn.Tanh()), net()
        def forward(self, x):
            a, b = x.chunk(2, 1)
            if self.flip:
                a, b = b, a
            s, t = self.s(a), self.t(a)
            b = {coupled}
            return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([Coupling(i % 2 == 1) for i in range(6)])
        def forward(self, x):
            total = 0
            for layer in self.layers:
                x, change = layer(x)
                total = total + change
            return x, total
"""
COUPLINGS = (
    *("b * torch.exp(s) + t", "t + s.exp() * b", "b.mul(torch.exp(0.5 * s)).add(t)"),
    # First shifted, then scaled, and the way back.
    *("(b + t) * torch.exp(s)", "torch.exp(-s) * (b - t)", "(b - t) / torch.exp(s)"),
    # Glow, and the scales of nflows.
    *("(b + t) * torch.sigmoid(s + 2)", "b * torch.sigmoid(s + 2.0) + t"),
    *("b * (F.softplus(s) + 1e-3) + t", "t + (torch.sigmoid(s + 2) + 1e-3) * b"),
)


@pytest.mark.parametrize("coupled", COUPLINGS)
def test_the_networks_of_a_coupling_are_left_alone(judge, coupled):
    assert judge(FLOW.format(coupled=coupled), torch.randn(5, 8)).codes == {}


GATED = """
    def net():
        return nn.Sequential(
            *(part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU()))
        )

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = net(), net(), nn.Linear(64, 64)
            self.out = nn.Linear(64, 8)
        def forward(self, x):
            a, b, c = self.a(x), self.b(x), self.c(x)
            return self.out({gated})
"""


@pytest.mark.parametrize(
    "gated",
    [
        "a * torch.sigmoid(c)",
        "a * torch.sigmoid(c) + b",
        # A highway, and a gated recurrence: two shares of one whole.
        "a * torch.sigmoid(c) + x * (1 - torch.sigmoid(c))",
        "torch.sigmoid(c) * x + (1 - torch.sigmoid(c)) * b",
        # Squeeze and excitation of what was added.
        "(h := x + a) * torch.sigmoid(self.c(h))",
    ],
)
def test_gates_are_no_couplings(judge, gated):
    assert "INIT101" in judge(GATED.format(gated=gated), torch.randn(3, 64)).codes.values()


ENCODER = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                *(part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU()))
            )
            self.mean, self.logvar = nn.Linear(64, 8), nn.Linear(64, 8)
            self.decode = nn.Linear(8, 64)
        def forward(self, x):
            h = self.net(x)
            mean, logvar = self.mean(h), self.logvar(h)
            return self.decode({latent}), mean, logvar
"""


@pytest.mark.parametrize(
    "latent",
    [
        "mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)",
        "torch.exp(logvar)",
        "mean * torch.exp(logvar)",
    ],
)
def test_noise_and_lone_exponentials_are_no_couplings(judge, latent):
    found = judge(ENCODER.format(latent=latent), torch.randn(3, 64))
    assert set(found.codes.values()) == {"INIT101"}
