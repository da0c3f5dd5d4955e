"""materialize gives what has no finding the distribution, or values, that construction gives."""

import random

import numpy
import pytest
import torch
from torch import nn

import initlint

stats = pytest.importorskip("scipy.stats")

SEEDS = range(6)


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(40, 12, padding_idx=3)
        self.lstm, self.cell = nn.LSTM(12, 10, 2), nn.GRUCell(10, 8)
        self.scale = nn.Parameter(torch.randn(30) * 0.1 + 1)
        self.mix = nn.Parameter(torch.empty(9, 9).uniform_(-1, 2))
        self.register_buffer("noise", torch.rand(50))
        self.register_buffer("steps", torch.linspace(0, 1, 5))

    def forward(self, tokens):
        return self.cell(self.lstm(self.embed(tokens))[0][-1])


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, groups=1), nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.both = nn.Bilinear(4, 4, 5)
        self.attention = nn.MultiheadAttention(5, 1)
        self.out = nn.Linear(5, 70)
        nn.init.trunc_normal_(self.out.weight, std=0.02)
        nn.init.orthogonal_(self.both.weight[0].data)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        x = self.up(x).mean((2, 3))
        x = self.both(x, x).unsqueeze(0)
        return self.out(self.attention(x, x, x)[0])


def encoder():
    layer = nn.TransformerEncoderLayer(16, 2, 32, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [Cells, Layers, encoder])
def test_the_distribution_and_the_values_are_those_of_construction(make):
    def drawn(build):
        found = {}
        for seed in SEEDS:
            torch.manual_seed(seed)
            model = build(seed)
            for name, value in (*model.named_parameters(), *model.named_buffers()):
                found.setdefault(name, []).append(value.detach().clone().flatten())
        return found

    ordinary = drawn(lambda seed: make())
    made = drawn(lambda seed: initlint.materialize(make, seed=seed))
    assert made.keys() == ordinary.keys()
    for name, values in ordinary.items():
        if all(value.equal(values[0]) for value in values):
            assert all(value.equal(values[0]) for value in made[name]), name
            continue
        result = stats.ks_2samp(torch.cat(made[name]), torch.cat(values))
        assert result.pvalue > 1e-5, (name, result)
        assert not made[name][0].equal(made[name][1]), name


def test_seed_decides_what_is_drawn_into_memory_made_on_the_cpu():
    class Old(nn.Module):
        def __init__(self):
            super().__init__()
            self.old = nn.Parameter(torch.FloatTensor(4, 8))
            nn.init.normal_(self.old)
            self.table = nn.Parameter(torch.randn(3, device="cpu"))
            self.layer = nn.Linear(8, 4)

        def forward(self, x):
            return self.layer(x) + x @ self.old.T

    def made(seed, state):
        torch.manual_seed(state)
        model = initlint.materialize(Old, seed=seed)
        return torch.cat([value.flatten() for value in model.state_dict().values()])

    assert torch.equal(made(0, 1), made(0, 2))
    assert not torch.equal(made(0, 1), made(1, 1))


def kaiming(weight, own):
    nn.init.kaiming_uniform_(weight, generator=own)


def positional(weight, own):
    nn.init.normal_(weight, 0.0, 0.3, own)


def method(weight, own):
    weight.data.normal_(0, 0.3, generator=own)


def scaled(weight, own):
    weight.data.uniform_(-1, 1, generator=own).mul_(0.1)


@pytest.mark.parametrize("draw", [kaiming, positional, method, scaled])
@pytest.mark.parametrize("scope", ["findings", "recommended"])
def test_draws_from_a_generator_of_the_constructors_own_have_its_values(draw, scope):
    def build():
        own = torch.Generator().manual_seed(3)
        model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(3)), nn.Linear(8, 2))
        for layer in model[:3]:
            draw(layer.weight, own)
        return model

    usual, made = build(), initlint.materialize(build, seed=5, scope=scope)
    for layer, other in zip(usual[:3], made[:3], strict=True):
        assert layer.weight.equal(other.weight)
    assert not made[0].weight.equal(made[1].weight)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: numpy.random.normal(size=(8, 8)),
        lambda: [[random.gauss(0, 1) for _ in range(8)] for _ in range(8)],
    ],
    ids=["numpy", "python"],
)
def test_seed_decides_what_numpy_and_python_draw(draw):
    def build():
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
        model[0].weight = nn.Parameter(torch.tensor(draw(), dtype=torch.float))
        return model

    states = str(numpy.random.get_state()), random.getstate()
    first, second, third = (initlint.materialize(build, seed=seed)[0].weight for seed in (0, 0, 1))
    assert first.equal(second)
    assert not first.equal(third)
    assert states == (str(numpy.random.get_state()), random.getstate())


def by_skip_init():
    return nn.utils.skip_init(nn.Linear, 8, 8)


def by_device():
    return nn.Linear(8, 8, device="cpu")


def by_to_empty():
    with torch.device("meta"):
        layer = nn.Linear(8, 8)
    return layer.to_empty(device="cpu")


@pytest.mark.parametrize("make", [by_skip_init, by_device, by_to_empty])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("number", [0.0, 0.1])
def test_layers_that_are_made_on_the_cpu_and_set_are_kept(make, count, number):
    class Controlled(nn.Module):
        """ControlNet's layers: zeros, made without a draw before."""

        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleList(nn.Linear(8, 8) for _ in range(count))
            self.zero = nn.ModuleList(make() for _ in range(count))
            for parameter in self.zero.parameters():
                parameter.detach().fill_(number)

        def forward(self, x):
            for inner, zero in zip(self.inner, self.zero, strict=True):
                x = x + zero(torch.relu(inner(x)))
            return x

    for scope in ("findings", "recommended"):
        model = initlint.materialize(Controlled, seed=0, scope=scope)
        assert all(bool((value == number).all()) for value in model.zero.parameters())
        assert all(inner.weight.std() > 0.1 for inner in model.inner)
