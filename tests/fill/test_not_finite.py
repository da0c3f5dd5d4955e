"""Constructors that write NaN or infinite numbers: an error that names the tensor and the line."""

import pytest
import torch
from torch import nn

import initlint
from initlint import InitlintError


class Net(nn.Module):
    def __init__(self, spoil=lambda net: None):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.b = nn.Linear(8, 4)
        self.register_buffer("mask", torch.full((8,), float("-inf")))
        spoil(self)

    def forward(self, x):
        return self.b(torch.relu(self.norm(self.a(x)))) + self.mask.exp().sum()


def spoilt(spoil):
    return lambda: Net(spoil)


SPOILT = {
    "a.weight": lambda net: nn.init.constant_(net.a.weight, float("nan")),
    "b.bias": lambda net: net.b.bias.data.copy_(torch.log(torch.full((4,), -1.0))),
    "norm.weight": lambda net: net.norm.weight.data.mul_(float("nan")),
    "b.weight": lambda net: net.b.weight.data.div_(0.0),
}


@pytest.mark.parametrize("name", SPOILT)
def test_numbers_that_are_not_finite_are_an_error_that_names_them(name):
    with pytest.raises(InitlintError) as error:
        initlint.materialize(spoilt(SPOILT[name]), seed=0)
    said = str(error.value)
    assert said.startswith(f"1 tensor is not finite after construction ({name}, test_not_finite.py")
    assert said.endswith("mend what writes them, or leave them out with skip")


def test_what_is_skipped_is_not_looked_at():
    model = initlint.materialize(spoilt(SPOILT["norm.weight"]), seed=0, skip="norm")
    assert model.norm.weight.isnan().all()


def test_such_numbers_in_buffers_and_frozen_parameters_are_meant():
    def freeze(net):
        net.register_buffer("unknown", torch.full((2,), float("nan")))
        net.table = nn.Parameter(torch.full((3,), float("-inf")), requires_grad=False)

    model = initlint.materialize(spoilt(freeze), seed=0)
    assert model.mask.isinf().all() and model.table.isinf().all() and model.unknown.isnan().all()


def test_a_model_on_the_meta_device_stays_there():
    def init(net):
        for module in net.modules():
            if isinstance(module, nn.Linear):
                nn.init.constant_(module.weight, float("nan"))
        nn.init.zeros_(net.mask)

    with torch.device("meta"):
        model = Net()
    with pytest.raises(InitlintError, match="2 tensors are not finite"):
        initlint.materialize(model, seed=0, init=init)
    assert all(value.is_meta for value in (*model.parameters(), *model.buffers()))


def test_memory_that_nothing_wrote_is_told_of_without_the_advice_to_use_materialize():
    model = Net()
    nn.init.constant_(model.norm.weight, float("nan"))
    with pytest.raises(InitlintError, match=r"\(norm.weight\): fill the model by initlint.mater"):
        initlint.apply_(model, seed=0)
