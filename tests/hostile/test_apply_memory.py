"""apply_ writes no memory that is not the parameter's alone, nor a parameter that has none."""

import sys
import warnings

import numpy
import pytest
import torch
from torch import nn

import initlint
from initlint.fill.memory import read_only, shares_itself, sharing
from initlint.records import InitlintError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def put(model, name, tensor, trainable=True):
    module, _, last = name.rpartition(".")
    setattr(model.get_submodule(module), last, nn.Parameter(tensor, requires_grad=trainable))


def kept(report):
    return {gap.target: gap.reason for gap in report.unanalysed}


def values(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def changed(before, model):
    return {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}


BASE = torch.arange(1.0, 161.0).view(10, 16) / 100


def shared(kind):
    """A model two of whose parameters lie in one memory, in this way."""
    model, base = Net(), BASE.clone()
    if kind == "the same":
        put(model, "a.weight", base[:8, :8])
        put(model, "b.weight", base[:8, :8])
    elif kind == "frozen":
        put(model, "a.weight", base[:8, :8], trainable=False)
        put(model, "b.weight", base[:8, :8])
    elif kind == "in part":
        put(model, "a.weight", base[:8, :8])
        put(model, "b.weight", base[2:10, 4:12])
    elif kind == "turned":
        put(model, "a.weight", base[:8, :8])
        put(model, "b.weight", base[:8, :8].t())
    elif kind == "other dtype":
        whole = torch.ones(128)
        put(model, "a.weight", whole[:64].view(8, 8))
        put(model, "b.weight", whole[63:95].view(torch.bfloat16).view(8, 8))
    elif kind == "two storages":
        array = numpy.ones((9, 8), dtype=numpy.float32)
        put(model, "a.weight", torch.from_numpy(array)[:8])
        put(model, "b.weight", torch.from_numpy(array)[1:])
    return model


@pytest.mark.parametrize("only", [None, "a.weight", "b.weight", "c"])
@pytest.mark.parametrize(
    "kind", ["the same", "frozen", "in part", "turned", "other dtype", "two storages"]
)
def test_shared_memory_is_written_under_no_selection(kind, only):
    model, whole = shared(kind), Net()
    before = values(model)
    report = initlint.apply_(model, seed=0, only=only, scope="all")
    assert changed(before, model).isdisjoint({"a.weight", "b.weight"})
    initlint.apply_(whole, seed=0, scope="all")
    assert torch.equal(model.c.weight, whole.c.weight) == (only in (None, "c"))
    if only is None:
        first = "it is frozen" if kind == "frozen" else "it shares memory with b.weight"
        assert kept(report) == {"a.weight": first, "b.weight": "it shares memory with a.weight"}


def test_a_view_of_a_weight_as_its_bias():
    model, base = Net(), BASE[:8, :8].clone()
    put(model, "a.weight", base)
    put(model, "a.bias", base[0])
    before = values(model)
    report = initlint.apply_(model, seed=0, scope="all")
    assert changed(before, model).isdisjoint({"a.weight", "a.bias"})
    assert kept(report) == {"a.weight": "it shares memory with a.bias"}


def test_a_bias_in_the_memory_of_another_layers():
    model, base = Net(), torch.rand(12)
    put(model, "a.bias", base[:8])
    put(model, "b.bias", base[4:])
    before = values(model)
    report = initlint.apply_(model, seed=0, scope="all")
    assert {"a.weight", "b.weight"} <= changed(before, model)
    assert changed(before, model).isdisjoint({"a.bias", "b.bias"})
    assert kept(report) == {
        "a.bias": "it shares memory with b.bias",
        "b.bias": "it shares memory with a.bias",
    }


def test_a_buffer_in_the_memory_of_a_weight():
    model = Net()
    model.register_buffer("row", model.b.weight.detach()[3])
    before, row = values(model), model.row.clone()
    report = initlint.apply_(model, seed=0, scope="all")
    assert torch.equal(model.row, row) and "b.weight" not in changed(before, model)
    assert kept(report) == {"b.weight": "it shares memory with row"}


@pytest.mark.parametrize("way", ["columns", "rows", "one flat storage"])
def test_parts_of_one_storage_that_share_nothing_are_filled(way):
    model, alone = Net(), Net()
    base = torch.ones(128)
    parts = {
        "columns": base.view(8, 16).split(8, dim=1),
        "rows": base.view(16, 8).split(8),
        "one flat storage": [part.view(8, 8) for part in base.split(64)],
    }
    for name, part in zip(("a.weight", "b.weight"), parts[way], strict=True):
        put(model, name, part)
    assert not initlint.apply_(model, seed=0, scope="all").unanalysed
    initlint.apply_(alone, seed=0, scope="all")
    assert torch.equal(model.a.weight, alone.a.weight)
    assert torch.equal(model.b.weight, alone.b.weight)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(64.0).as_strided((8, 8), (1, 1)),
        torch.arange(64.0).as_strided((8, 8), (4, 1)),
        torch.arange(8.0).expand(8, 8),
        torch.arange(8.0)[:, None].expand(8, 8),
        torch.ones(()).expand(8, 8),
    ],
    ids=["diagonals", "overlapping rows", "one row", "one column", "one number"],
)
@pytest.mark.parametrize("policy", ["following", "orthogonal", "calibrated"])
def test_elements_that_share_a_place_are_not_written(tensor, policy):
    model = Net()
    put(model, "b.weight", tensor)
    before = tensor.clone()
    report = initlint.apply_(model, seed=0, policy=policy, scope="all")
    assert torch.equal(model.b.weight, before) and "b.weight" in kept(report)
    assert "share memory" in kept(report)["b.weight"]


def test_strides_without_a_shared_place_are_told_from_others():
    memory = torch.zeros(100)
    apart = [((3, 2), (2, 3)), ((4, 3), (1, 4)), ((2, 3, 4), (50, 1, 3)), ((1, 5), (0, 2))]
    together = [((4, 3), (2, 3)), ((2, 2), (1, 1)), ((5,), (0,)), ((3, 4, 2), (9, 2, 6))]
    assert not any(shares_itself(memory.as_strided(*place)) for place in apart)
    assert all(shares_itself(memory.as_strided(*place)) for place in together)
    assert not shares_itself(memory.as_strided((0, 3), (0, 0)))


def test_names_are_found_among_thousands_of_views_in_one_pass():
    base = torch.zeros(4096, 4)
    tensors = {str(i): base[:, i % 4][i // 4 : i // 4 + 1] for i in range(16384)}
    assert not sharing(tensors, set(tensors))
    tensors["another"] = base[17]
    assert set(sharing(tensors, set(tensors))) == {"68", "69", "70", "71", "another"}


def test_meta_storages_are_told_apart():
    one, other = torch.empty(16, device="meta"), torch.empty(16, device="meta")
    tensors = {"a": one[:8], "b": one[4:], "c": other[:8], "d": one[8:12]}
    found = sharing(tensors, set(tensors))
    assert "a" in found and "b" in found and "c" not in found


def test_a_model_whose_constructor_shares_memory_is_materialized_as_it_is_built():
    class Shared(Net):
        def __init__(self):
            super().__init__()
            base = torch.full((8, 16), 0.5)
            put(self, "a.weight", base[:, :8])
            put(self, "b.weight", base[:, 4:12])

    model = initlint.materialize(Shared, seed=0, scope="all")
    assert torch.equal(model.a.weight, torch.full((8, 8), 0.5))
    assert torch.equal(model.b.weight, torch.full((8, 8), 0.5))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what may be written")
@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_a_file_mapped_for_reading_is_named_before_anything_is_written(mode, tmp_path):
    numpy.ones((8, 8), dtype=numpy.float32).tofile(tmp_path / "weights")
    array = numpy.memmap(tmp_path / "weights", dtype=numpy.float32, mode=mode, shape=(8, 8))
    model = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        put(model, "b.weight", torch.from_numpy(array))
    before = values(model)
    if mode == "r":
        with pytest.raises(InitlintError, match=r"\(b\.weight\).* for reading only"):
            initlint.apply_(model, seed=0, scope="all")
        assert not changed(before, model)
        assert read_only(dict(model.named_parameters())) == ["b.weight"]
    else:
        initlint.apply_(model, seed=0, scope="all")
        assert "b.weight" in changed(before, model)


def test_inference_tensors_are_named_before_anything_is_written():
    with torch.inference_mode():
        model = Net()
    other = Net()
    other.c = model.c
    before = values(other)
    with pytest.raises(InitlintError, match=r"2 parameters are \(c\..* made in inference mode"):
        initlint.apply_(other, seed=0, scope="all")
    assert not changed(before, other)


@pytest.mark.parametrize("lazy", [nn.LazyLinear(8), nn.LazyConv1d(8, 1)], ids=["linear", "conv"])
def test_a_lazy_weight_is_listed_and_not_reported_as_filled(lazy):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), lazy, nn.ReLU())
    inputs = torch.randn(8, 8) if isinstance(lazy, nn.LazyLinear) else torch.randn(2, 8, 8)
    report = initlint.apply_(model, inputs, seed=0, scope="all")
    assert kept(report) == {"2.weight": "no weight yet: run one forward first"}
    assert {x.parameter: x.current.name for x in report.layers}["2.weight"] == "kaiming_uniform_"


@pytest.mark.parametrize("policy", ["following", "orthogonal", "calibrated"])
def test_buffers_without_a_shape_are_left_alone(policy):
    model = Net()
    model.norm = nn.LazyBatchNorm1d()
    before = model.a.weight.detach().clone()
    initlint.apply_(model, seed=0, policy=policy, scope="all")
    assert not torch.equal(before, model.a.weight)


@pytest.mark.parametrize("kind", ["LazyLinear", "LazyBatchNorm1d"])
def test_calibration_gives_no_shape_to_a_lazy_layer(kind):
    lazy = nn.LazyLinear(4) if kind == "LazyLinear" else nn.LazyBatchNorm1d()
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), lazy)
    before = model[0].weight.detach().clone()
    with pytest.raises(InitlintError, match=r"2\.\w+ is lazy: run the model once"):
        initlint.apply_(model, torch.randn(4, 8), seed=0, policy="calibrated", scope="all")
    assert torch.equal(before, model[0].weight) and type(lazy).__name__ == kind
    model(torch.randn(4, 8))
    assert type(lazy).__name__ == kind.removeprefix("Lazy")


@pytest.mark.parametrize(
    ("seed", "shown"),
    [(True, "True"), (1.0, "1.0"), ("1", "'1'"), ([1], "[1]"), (torch.tensor(1), "tensor(1)")],
)
@pytest.mark.parametrize("fill", ["apply_", "materialize"])
def test_what_is_no_seed_is_refused_in_one_line(fill, seed, shown):
    model = Net()
    before = values(model)
    with pytest.raises(InitlintError) as error:
        getattr(initlint, fill)(model if fill == "apply_" else Net, seed=seed, scope="all")
    assert str(error.value) == f"seed={shown}: write an integer" and not changed(before, model)


@pytest.mark.parametrize("seed", [0, -1, 2**64, -(2**70), 2**200, numpy.int64(7)])
def test_whole_numbers_are_seeds_and_each_its_own(seed):
    one, other, third = Net(), Net(), Net()
    initlint.apply_(one, seed=seed, scope="all")
    initlint.apply_(other, seed=int(seed), scope="all")
    initlint.apply_(third, seed=int(seed) + 1, scope="all")
    assert torch.equal(one.a.weight, other.a.weight)
    assert not torch.equal(one.a.weight, third.a.weight)
    assert torch.equal(one.a.weight, initlint.materialize(Net, seed=seed, scope="all").a.weight)


def test_a_seed_beyond_all_measure_is_refused():
    with pytest.raises(InitlintError, match="at most 4096 bits"):
        initlint.apply_(Net(), seed=10**5000, scope="all")


def test_a_constructor_that_needs_values_takes_any_seed():
    class Needs(Net):
        def __init__(self):
            super().__init__()
            self.scale = torch.ones(1).item()

    for seed in (-1, 2**64 + 3):
        assert initlint.materialize(Needs, seed=seed, scope="all").scale == 1.0
