"""Structures that apply_ keeps among layers that it fills, and draws that are none."""

import math

import pytest
import torch
from torch import nn

import initlint
from initlint.fill.facts import Facts, facts_of


def body(special, width=32, dtype=torch.float32):
    """A deep net of PyTorch's default, which has findings, with one layer of other values."""
    torch.manual_seed(0)
    layers = [layer for _ in range(8) for layer in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(width, 4))
    model[6].weight.data.copy_(special(width))
    return model.to(dtype)


def waves(width):
    """Sines and cosines of all frequencies under a window, as the filters of a short-time FFT."""
    angles = 2 * math.pi * torch.outer(torch.arange(width // 2), torch.arange(width)) / width
    return torch.cat([angles.cos(), angles.sin()]) * torch.hann_window(width)


def cosines(width):
    steps = torch.outer(torch.arange(width), torch.arange(width) + 0.5)
    return torch.cos(math.pi / width * steps) * math.sqrt(2 / width)


def skew(width):
    matrix = 0.1 * torch.randn(width, width)
    return matrix - matrix.T


def toeplitz(width):
    place = torch.arange(width)
    return (0.2 * torch.randn(2 * width))[place[:, None] - place + width]


def of_complex_numbers(width):
    real, imaginary = 0.1 * torch.randn(2, width // 2, width // 2)
    return torch.cat([torch.cat([real, -imaginary], 1), torch.cat([imaginary, real], 1)])


STRUCTURES = [waves, cosines, skew, toeplitz, of_complex_numbers]


@pytest.mark.parametrize("special", STRUCTURES)
def test_a_structure_is_kept_among_layers_that_are_filled(special):
    model = body(special)
    before = model[6].weight.detach().clone()
    report = initlint.apply_(model, seed=0)
    assert model[6].weight.equal(before) and model[4].weight.std() > 0.2
    reasons = {one.parameter: one.reason for one in report.outcomes}
    assert reasons["6.weight"] == "it was set to values with a structure"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("special", [waves, cosines, toeplitz])
def test_a_structure_is_kept_in_half_precision(special, dtype):
    model = body(special, dtype=dtype)
    before = model[6].weight.detach().clone()
    initlint.apply_(model, seed=0)
    assert model[6].weight.equal(before) and model[4].weight.std() > 0.2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_default_draws_have_no_structure_whatever_the_dtype(dtype):
    torch.manual_seed(0)
    for size in ((12,), (40,), (64, 64), (300, 40)):
        for draw in range(20):
            values = torch.empty(size, dtype=dtype).uniform_(-0.13, 0.13)
            found = facts_of(values, 0.13)
            assert found.is_uniform(0.13) and not found.is_structured, (size, draw)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_orthogonal_and_normal_draws_have_no_structure(dtype):
    torch.manual_seed(0)
    for draw in (nn.init.orthogonal_, nn.init.normal_, nn.init.xavier_uniform_):
        for size in ((16, 16), (64, 64), (48, 300)):
            assert not facts_of(draw(torch.empty(size)).to(dtype)).is_structured


SETTINGS = {
    "in order": lambda bias: bias.sort()[0],
    "a grid": lambda bias: torch.linspace(-0.17, 0.17, len(bias)),
    "of one sign": torch.Tensor.abs,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_bias_that_was_set_within_the_bounds_of_the_default_is_kept(setting, dtype):
    model = body(lambda width: nn.Linear(width, width).weight.data).to(dtype)
    with torch.no_grad():
        model[4].bias.copy_(SETTINGS[setting](model[4].bias))
    before = model[4].bias.detach().clone()
    initlint.apply_(model, seed=0)
    assert model[4].bias.equal(before) and not model[2].bias.any()


@pytest.mark.parametrize(("value", "is_kept"), [(0.05, True), (0.1, True), (0.0524318, False)])
def test_one_element_that_somebody_wrote_is_kept(value, is_kept):
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    nn.init.constant_(model[2].bias, value)
    initlint.apply_(model, seed=0, scope="recommended")
    assert model[2].bias.item() == pytest.approx(value if is_kept else 0.0)


def test_a_sparse_draw_is_kept_by_materialize_as_by_apply():
    def make():
        model = body(lambda width: torch.zeros(width, width))
        nn.init.sparse_(model[6].weight, 0.9)
        return model

    model = initlint.materialize(make, seed=0)
    assert (model[6].weight == 0).float().mean() > 0.85 and model[4].weight.std() > 0.2


def test_an_embedding_that_is_only_a_head_keeps_its_draw():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(32, 32)
            self.table = nn.Embedding(12, 32)

        def forward(self, x):
            return torch.relu(self.body(x)) @ self.table.weight.T

    model = initlint.materialize(Head, seed=0, scope="recommended")
    assert model.table.weight.std() > 0.8 and model.body.weight.std() > 0.2


def of_shards(values, bound, count):
    """The facts of a tensor, added up from those of its shards."""
    found, first = Facts(), 0
    for part in values.chunk(count):
        found += facts_of(part.contiguous(), bound, first, tuple(values.shape))
        first += part.numel()
    return found


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_default_draw_of_few_elements_is_in_no_order_because_its_shards_are(count):
    bound = 1 / math.sqrt(48)
    for seed in range(1000):
        torch.manual_seed(seed)
        values = torch.empty(10).uniform_(-bound, bound)
        assert of_shards(values, bound, count).is_uniform(bound)
    assert not of_shards(torch.linspace(-bound, bound, 10), bound, count).is_uniform(bound)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_waves_show_in_shards_of_few_rows(count):
    torch.manual_seed(0)
    place = torch.arange(32.0)
    found = torch.cos(math.pi / 32 * (place + 0.5) * place[:, None])
    noise = torch.randn(32, 32)
    assert of_shards(found + 1e-3 * noise, None, count).is_structured
    assert not of_shards(noise, None, count).is_structured
