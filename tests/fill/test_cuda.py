"""What holds on a GPU; run where INITLINT_TEST_DEVICES names cuda."""

import pytest
import torch
from torch import nn

import initlint

pytestmark = pytest.mark.gpu


def model():
    return nn.Sequential(nn.Linear(3000, 3000), nn.ReLU(), nn.LayerNorm(3000), nn.Linear(3000, 7))


@pytest.mark.parametrize("policy", ["following", "orthogonal", "calibrated"])
def test_weights_are_filled_where_they_are(policy):
    found = model().cuda()
    before = torch.cuda.get_rng_state()
    report = initlint.apply_(found, seed=1, policy=policy, scope="all")
    assert torch.cuda.get_rng_state().equal(before)
    assert all(parameter.is_cuda for parameter in found.parameters())
    if policy != "calibrated":
        first = report.layers[0]
        assert first.current.std == pytest.approx(first.recommended.std, rel=0.02)


def test_the_same_seed_gives_the_same_bits():
    models = [model().cuda() for _ in range(2)]
    for found in models:
        initlint.apply_(found, seed=1, scope="all")
    assert all(map(torch.equal, models[0].parameters(), models[1].parameters()))


def test_materialize_builds_on_the_gpu():
    made = initlint.materialize(model, device="cuda", seed=1, scope="all")
    alone = model().cuda()
    initlint.apply_(alone, seed=1, scope="all")
    assert made[0].weight.equal(alone[0].weight) and made[2].weight.is_cuda
    assert made(torch.randn(2, 3000, device="cuda")).isfinite().all()
