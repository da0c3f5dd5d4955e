"""materialize: values from numpy, and arguments that construction changes after it used them."""

import numpy
import pytest
import torch
from torch import nn

import initlint


def later_array(layer):
    values = numpy.arange(64.0).reshape(8, 8) / 64
    layer.weight.data = torch.tensor(values).float()
    values *= 3


def later_memory(layer):
    values = numpy.arange(64, dtype=numpy.float32).reshape(8, 8) / 64
    layer.weight.data.copy_(torch.from_numpy(values))
    values *= 3


def later_tensor(layer):
    values = torch.from_numpy(numpy.ones((8, 8), numpy.float32))
    layer.weight.data.copy_(values)
    values.mul_(5)


def later_list(layer):
    rows = [[float(row * column) for column in range(8)] for row in range(8)]
    layer.weight.data = torch.tensor(rows)
    rows[0][0], rows[1] = 7.0, [9.0] * 8


def later_index(layer):
    rows = numpy.array([0, 2])
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[rows] = 5.0
    rows[:] = 4


def row_by_row(layer):
    with torch.no_grad():
        for row in range(8):
            layer.weight[row] = torch.as_tensor(numpy.roll(numpy.arange(8.0), row))


def array_in_a_list(layer):
    layer.weight.data = torch.tensor([numpy.float32(3), *range(63)]).view(8, 8)


def number_of_numpys(layer):
    layer.weight.data.fill_(numpy.sqrt(numpy.float32(2)))


WAYS = (
    *(later_array, later_memory, later_tensor, later_list, later_index),
    *(row_by_row, array_in_a_list, number_of_numpys),
)


@pytest.mark.parametrize("scope", ["findings", "recommended"])
@pytest.mark.parametrize("way", WAYS)
def test_values_are_those_at_the_time_of_the_call(way, scope):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
            way(self.second)

        def forward(self, x):
            return self.out(torch.relu(self.second(torch.relu(self.first(x)))))

    made = initlint.materialize(Net, seed=0, scope=scope)
    assert torch.equal(made.second.weight, Net().second.weight)
