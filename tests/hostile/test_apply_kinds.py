"""apply_ fills what it can and lists weights of kinds that it cannot write: sparse, nested, …"""

import warnings

import pytest
import torch
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor

import initlint

warnings.simplefilter("ignore")

POLICIES = ("following", "orthogonal")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.randn(8, 8), 0.1, 0, torch.qint8)


def two():
    return TwoTensor(torch.randn(8, 8), torch.randn(8, 8))


KINDS = {
    "sparse_coo": (lambda: torch.randn(8, 8).to_sparse(), "its layout is sparse_coo"),
    "sparse_csr": (lambda: torch.randn(8, 8).to_sparse_csr(), "its layout is sparse_csr"),
    "sparse_csc": (lambda: torch.randn(8, 8).to_sparse_csc(), "its layout is sparse_csc"),
    "sparse_bsr": (lambda: torch.randn(8, 8).to_sparse_bsr((2, 2)), "its layout is sparse_bsr"),
    "complex": (lambda: torch.randn(8, 8, dtype=torch.cfloat), "its dtype is complex64"),
    "whole": (lambda: torch.ones(8, 8, dtype=torch.int8), "it is frozen"),
    "quantised": (quantised, "it is frozen"),
    "exponents": (
        lambda: torch.ones(8, 8).to(torch.float8_e8m0fnu),
        "its dtype, float8_e8m0fnu, cannot represent the drawn numbers",
    ),
    "wrapper": (two, "a TwoTensor computes its values: fill the model before converting"),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_of_another_kind_is_listed_and_the_rest_filled(kind, policy):
    make, reason = KINDS[kind]
    model, alone = Net(), Net()
    tensor = make()
    model.b.weight = nn.Parameter(
        tensor, requires_grad=tensor.dtype.is_floating_point or tensor.is_complex()
    )
    report = initlint.apply_(model, seed=0, policy=policy, scope="all")
    initlint.apply_(alone, seed=0, policy=policy, scope="all")
    assert {gap.target: gap.reason for gap in report.unanalysed} == {"b.weight": reason}
    assert torch.equal(model.a.weight, alone.a.weight)
    assert torch.equal(model.c.weight, alone.c.weight)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_parameters_and_buffers_that_nothing_multiplies_may_be_of_any_kind(layout):
    model, alone = Net(), Net()
    parts = [torch.randn(2, 3), torch.randn(4, 3)]
    model.nested = nn.Parameter(torch.nested.nested_tensor(parts, layout=layout))
    model.register_buffer("sparse", torch.eye(3).to_sparse())
    model.register_buffer("rows", torch.eye(3).to_sparse_csr())
    model.register_buffer("small", quantised())
    initlint.apply_(model, seed=0, scope="all")
    initlint.apply_(alone, seed=0, scope="all")
    assert torch.equal(model.b.weight, alone.b.weight)


def test_a_frozen_sparse_parameter_on_the_memory_of_a_weight_keeps_it():
    model = Net()
    numbers = torch.ones(64)
    model.b.weight = nn.Parameter(numbers.view(8, 8))
    places = torch.arange(64)[None]
    sparse = torch.sparse_coo_tensor(places, numbers, (64,), is_coalesced=True)
    model.register_buffer("sparse", sparse)
    report = initlint.apply_(model, seed=0, scope="all")
    assert (numbers == 1).all()
    assert {gap.target for gap in report.unanalysed} == {"b.weight"}


def test_a_wrapper_of_one_tensor_of_the_same_kind_is_filled():
    class Around(torch.Tensor):
        """As float8 training wraps weights: around one tensor, whose shape and dtype it has."""

        @staticmethod
        def __new__(cls, inner):
            made = torch.Tensor._make_wrapper_subclass(
                cls, inner.size(), dtype=inner.dtype, device=inner.device, strides=inner.stride()
            )
            made.inner = inner
            return made

        def __tensor_flatten__(self):
            return ["inner"], None

        @staticmethod
        def __tensor_unflatten__(tensors, context, size, stride):
            return Around(tensors["inner"])

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            def bare(value):
                return value.inner if isinstance(value, Around) else value

            result = func(*map(bare, args), **(kwargs or {}))
            same = isinstance(result, torch.Tensor) and "detach" in str(func)
            return Around(result) if same else result

    model, alone = Net(), Net()
    inner = torch.ones(8, 8)
    model.b.weight = nn.Parameter(Around(inner))
    assert not initlint.apply_(model, seed=0, scope="all").unanalysed
    initlint.apply_(alone, seed=0, scope="all")
    assert torch.equal(inner, alone.b.weight)


BESIDE = {
    "eight bits": lambda: torch.zeros(3, dtype=torch.float8_e4m3fn),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "compressed": lambda: torch.eye(3).to_sparse_csr(),
    "complex": lambda: torch.polar(torch.ones(3), torch.ones(3)),
    "nothing": lambda: torch.empty(0),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_a_buffer_of_any_kind_is_materialized(kind):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
            self.register_buffer("beside", BESIDE[kind]())

        def forward(self, x):
            return torch.relu(self.b(torch.relu(self.a(x))))

    model = initlint.materialize(Net, seed=0)
    wanted = BESIDE[kind]()
    assert model.beside.dtype == wanted.dtype and model.beside.layout == wanted.layout
    assert torch.equal(dense(model.beside), dense(wanted))
    assert initlint.check(Net).findings[0].layer == "b"


def dense(tensor):
    return tensor.float() if tensor.element_size() == 1 else tensor.to_dense()
