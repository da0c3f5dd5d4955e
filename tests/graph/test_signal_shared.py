"""What two positions of a gradient have in common, against runs; and what has no positions."""

import pytest
import torch
import torch.nn.functional as F
from test_signal_operations import Net, compared
from torch import nn

from initlint.graph.quadrature import gaussian_moments
from initlint.graph.samples import Value
from initlint.graph.signal_shared import of_mean, of_reshaping, of_windows

# More tokens than units, so that it is clear which are which.
IMAGES, TOKENS = torch.randn(16, 16, 12, 12), torch.randn(16, 96, 64)


def conv(n=64, m=64, size=1, **options):
    return nn.Conv2d(n, m, size, padding=size // 2, **options)


def gate(p, x):
    """Squeeze-and-excitation before a mean over all positions."""
    x = p["first"](x).relu()
    x = x * p["gate"](x.mean((2, 3), keepdim=True)).sigmoid()
    return p["last"](x.mean((2, 3)))


def gate_behind_layers(p, x):
    """Convolutions and ReLU between the gate and the mean keep a part of it."""
    x = p["first"](x).relu()
    x = x * p["gate"](x.mean((2, 3), keepdim=True)).sigmoid()
    x = p["middle"](p["norm"](x)).relu()
    return p["last"](x.mean((2, 3)))


def context(p, x):
    """A value of one position that is added to all."""
    x = p["first"](x).relu()
    x = x + p["gate"](x.mean((2, 3), keepdim=True))
    return p["last"](x.mean((2, 3)))


def flat(p, x):
    """Without a mean, positions have nothing in common."""
    x = p["first"](x).relu()
    x = x * p["gate"](x.mean((2, 3), keepdim=True)).sigmoid()
    return p["last"](x.flatten(1))


def enlarged(p, x):
    """Each position has four copies, all with the same gradient."""
    return p["last"](F.interpolate(p["first"](x), scale_factor=2).mean((2, 3)))


IMAGE_NETS = {
    "a gate": (gate, {"gate": conv(), "last": nn.Linear(64, 8)}),
    "a gate behind layers": (
        gate_behind_layers,
        {
            "gate": conv(),
            "norm": nn.BatchNorm2d(64),
            "middle": conv(size=3),
            "last": nn.Linear(64, 8),
        },
    ),
    "a value added to all": (context, {"gate": conv(), "last": nn.Linear(64, 8)}),
    "a gate before flatten": (flat, {"gate": conv(), "last": nn.Linear(64 * 144, 8)}),
    "copies": (enlarged, {"last": nn.Linear(64, 8)}),
}


@pytest.mark.parametrize("name", IMAGE_NETS)
def test_sums_over_pixels(name):
    way, parts = IMAGE_NETS[name]

    def make():
        model = Net(way, first=conv(16), **parts)
        for layer in model.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        return model

    for layer, (_, back) in compared(make, IMAGES, draws=6).items():
        assert back == pytest.approx(1, rel=0.25), layer


@pytest.mark.parametrize("pooled", [True, False], ids=["a mean over tokens", "each token"])
def test_keys_and_values_of_attention(pooled):
    def way(p, x):
        x = F.scaled_dot_product_attention(p["q"](x), p["k"](x), p["v"](x))
        return p["last"](x.mean(1) if pooled else x)

    def make():
        return Net(way, **{name: nn.Linear(64, 64) for name in ("q", "k", "v", "last")})

    for tokens in (TOKENS, TOKENS + torch.randn(16, 1, 64)):
        ratios = compared(make, tokens, draws=6, given_values=True)
        for layer in ("q", "k", "v"):
            assert ratios[layer][1] == pytest.approx(1, rel=0.3), layer


def test_an_instance_norm_takes_what_is_common():
    """Behind a mean over positions, nothing comes back to them through an instance norm."""

    def way(p, x):
        return p["last"](p["norm"](p["first"](x)).mean((2, 3)))

    def make():
        return Net(
            way, first=conv(16), norm=nn.InstanceNorm2d(64, affine=True), last=nn.Linear(64, 8)
        )

    assert compared(make, IMAGES)["last"][1] == pytest.approx(1, rel=0.25)


def test_shares_of_pairs():
    """One pair of positions in four has the same phase; one in W is in the same mean."""
    assert of_windows(1 / 4, 1.0).kept == 1 / 4
    every = of_mean(16.0, 1 / 16, ())
    assert (every.kept, every.summed, every.made) == (0.0, 0.0, 1.0)
    assert of_mean(4.0, 1 / 4, (2, 2)).made == 1 / 4
    assert of_reshaping((24,), (1,), 1 / 24).kept == 0
    assert of_reshaping((3,), (6,), 2.0) == (2.0, 1.0, 0.0)
    assert of_reshaping(None, (6,), 1.0) == of_reshaping((6,), (6,), 1.0) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_slopes_of_two_positions(share):
    """E[relu'(x) relu'(x')] = (π - arccos ρ) / 2π, Cho and Saul 2009."""
    angle = torch.acos(torch.tensor(share, dtype=torch.double))
    found = gaussian_moments(lambda x: max(x, 0.0), Value(1.0, places=share), 0.5)
    assert found.slope == pytest.approx(float((torch.pi - angle) / (2 * torch.pi)), rel=0.03)
