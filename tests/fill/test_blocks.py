"""Every element depends on the seed, the name and its place, and on nothing else."""

import math

import pytest
import torch
from torch import nn

import initlint
from initlint.fill import shards
from initlint.fill.blocks import Source, block_size
from initlint.fill.shards import fill_parameters

SIZE = block_size(torch.device("cpu"))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(700, 900)
        self.b = nn.Linear(900, 300)
        self.c = nn.Linear(300, 2)

    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu())


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def filled(shape, distribution="normal", std=0.5, dtype=torch.float32, seed=1, name="w"):
    tensor = torch.empty(shape, dtype=dtype)
    fill_parameters([(tensor, Source(seed, name, distribution, std))])
    return tensor


def test_threads_make_no_difference(threads):
    found = []
    for count in (1, 2, 4):
        threads(count)
        model = Net()
        initlint.apply_(model, seed=7, scope="all")
        found.append(weights(model))
    assert same(found[0], found[1]) and same(found[0], found[2])


def test_what_else_is_filled_makes_no_difference():
    whole, part, rest = Net(), Net(), Net()
    initlint.apply_(whole, seed=7, scope="all")
    initlint.apply_(part, seed=7, only=["b"], scope="all")
    initlint.apply_(rest, seed=7, skip=["b"], scope="all")
    assert torch.equal(part.b.weight, whole.b.weight)
    assert torch.equal(rest.a.weight, whole.a.weight)
    assert not torch.equal(rest.b.weight, whole.b.weight)


def test_a_wrapper_makes_no_difference():
    bare, wrapped = Net(), nn.DataParallel(Net())
    initlint.apply_(bare, seed=7, scope="all")
    initlint.apply_(wrapped, seed=7, scope="all")
    assert same(weights(bare), weights(wrapped.module))


@pytest.mark.parametrize("change", [{"seed": 2}, {"name": "v"}])
def test_seed_and_name_make_a_difference(change):
    assert not torch.equal(filled((100, 100)), filled((100, 100), **change))


def test_blocks_differ_from_one_another():
    flat = filled((4, SIZE)).view(4, SIZE)
    assert all(not torch.equal(flat[0], flat[other]) for other in (1, 2, 3))


def test_the_shape_makes_no_difference():
    assert torch.equal(filled((6, SIZE // 4)).view(-1), filled((3, SIZE // 2)).view(-1))


MOMENTS = {"normal": 3.0, "uniform": 1.8, "trunc_normal": 2.3683}


@pytest.mark.parametrize(("distribution", "kurtosis"), MOMENTS.items())
def test_moments(distribution, kurtosis):
    """Mean, std and fourth moment within five standard errors of n independent draws."""
    values = filled((1000, 700), distribution, std=0.3).double() / 0.3
    n = values.numel()
    assert abs(values.mean()) < 5 / math.sqrt(n)
    assert abs(values.var() - 1) < 5 * math.sqrt((kurtosis - 1) / n)
    assert abs((values**4).mean() - kurtosis) < 0.05


def test_the_truncated_normal_ends_at_two_of_its_standard_deviations():
    values = filled((1000, 700), "trunc_normal", std=0.8796256610342398)
    assert 1.99 < float(values.abs().max()) <= 2.0


@pytest.mark.parametrize("distribution", MOMENTS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_dtypes_are_float32_rounded_once(distribution, dtype):
    exact = filled((600, 700), distribution)
    assert torch.equal(filled((600, 700), distribution, dtype=dtype), exact.to(dtype))


def test_strided_memory():
    tensor = torch.empty(700, 600).t()
    fill_parameters([(tensor, Source(1, "w", "normal", 0.5))])
    assert torch.equal(tensor, filled((600, 700)))


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 1, 3)])
def test_odd_shapes(shape):
    assert filled(shape).shape == torch.Size(shape)


def test_nothing_else_changes():
    model = Net()
    version = model.a.weight._version
    gradient = torch.zeros_like(model.a.weight)
    model.a.weight.grad = gradient
    random = torch.get_rng_state()
    initlint.apply_(model, seed=3, scope="all")
    assert model.a.weight._version == version and model.a.weight.grad is gradient
    assert model.training and torch.equal(random, torch.get_rng_state())


def test_what_is_not_to_be_filled_is_listed():
    model = Net()
    model.a.weight.requires_grad_(False)
    model.b.bias.requires_grad_(False)
    before = weights(model)
    report = initlint.apply_(model, seed=3, scope="all")
    assert {(gap.target, gap.reason) for gap in report.unanalysed} == {("a.weight", "it is frozen")}
    assert torch.equal(before["a.weight"], model.a.weight)
    assert torch.equal(before["b.bias"], model.b.bias)
    assert not torch.equal(before["b.weight"], model.b.weight)


def test_without_a_seed_it_is_drawn_from_torchs_generator():
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        model = Net()
        initlint.apply_(model, scope="all")
        found.append(weights(model))
    assert same(*found)


def fill_all(tensors, advance=None):
    sources = [Source(0, str(place), "normal", 1.0) for place in range(len(tensors))]
    fill_parameters(list(zip(tensors, sources, strict=True)), advance)


def test_progress_is_told_of_all_that_is_drawn_in_threads():
    counts = []
    fill_all([torch.empty(2**20), torch.empty(2**19)], counts.append)
    assert sum(counts) == 2**20 + 2**19 and len(counts) == 6


def test_where_a_block_fails_no_other_is_begun(monkeypatch):
    begun = []

    def fails(*args):
        begun.append(args)
        raise RuntimeError("no memory")

    monkeypatch.setattr(shards, "fill_piece", fails)
    with pytest.raises(RuntimeError, match="no memory"):
        fill_all([torch.empty(2**18 * 64)])
    assert len(begun) <= torch.get_num_threads()
