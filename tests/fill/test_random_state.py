"""apply_ and check leave random state alone: torch's, numpy's, Python's, and the model's own."""

import random

import numpy
import pytest
import torch
from torch import nn

import initlint

DRAWS = {
    "torch": lambda h, _: h + torch.randn_like(h),
    "dropout": lambda h, _: torch.nn.functional.dropout(h, 0.5, True),
    "permutation": lambda h, _: h[torch.randperm(len(h))],
    "seeds": lambda h, _: (torch.manual_seed(3), numpy.random.seed(3), random.seed(3), h)[3],
    "numpy": lambda h, _: h + torch.from_numpy(numpy.random.randn(8)).float(),
    "numpy's permutation": lambda h, _: h[:, torch.as_tensor(numpy.random.permutation(8))],
    "python": lambda h, _: h[:, random.sample(range(8), 8)],
    "distribution": lambda h, _: h + torch.distributions.Normal(0.0, 1.0).sample(h.shape),
    "generator": lambda h, own: h + torch.randn(8, generator=own[0]),
    "numpy's generator": lambda h, own: h + torch.from_numpy(own[1].normal(size=8)).float(),
    "numpy's older one": lambda h, own: h + torch.from_numpy(own[2].randn(8)).float(),
    "python's generator": lambda h, own: h * own[3].uniform(0.9, 1.1),
}


class Drawing(nn.Module):
    """Its forward depends on data, so that it is recorded, and draws numbers."""

    def __init__(self, way):
        super().__init__()
        self.first, self.second, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.way = way
        self.own = (
            *(torch.Generator().manual_seed(1), numpy.random.default_rng(1)),
            *(numpy.random.RandomState(1), random.Random(1)),
        )

    def forward(self, x):
        h = DRAWS[self.way](torch.relu(self.first(x)), self.own)
        return self.out(torch.relu(self.second(h * 2 if h.sum() > 1e9 else h)))

    def states(self):
        torchs, numpys, older, pythons = self.own
        return (
            torchs.get_state().tolist(),
            str(numpys.bit_generator.state),
            str(older.get_state()),
            pythons.getstate(),
            torch.get_rng_state().tolist(),
            str(numpy.random.get_state()),
            random.getstate(),
        )


ASKED = {
    "apply_": lambda model: initlint.apply_(model, seed=0, scope="all"),
    "calibrated": lambda model: initlint.apply_(model, seed=0, scope="all", policy="calibrated"),
    "check": initlint.check,
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("way", DRAWS)
def test_random_state_is_as_it_was(way, asked):
    model = Drawing(way)
    before = model.states()
    ASKED[asked](model)
    assert model.states() == before
