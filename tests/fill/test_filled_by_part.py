"""Models without a forward, as LightningModules have it: each part is filled on its own."""

import itertools
import math

import pytest
import torch
from torch import nn

import initlint
from initlint.records import InitlintError


class Trained(nn.Module):
    """Something else runs its parts: what follows the last layer of a part is not known."""

    def __init__(self):
        super().__init__()
        widths = (16, 64, 64, 4)
        layers = [nn.Linear(*pair) for pair in itertools.pairwise(widths)]
        self.net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def outcomes(report):
    return {one.parameter: one for one in report.outcomes}


def test_the_last_layer_of_a_part_keeps_no_other_from_being_filled():
    found = outcomes(initlint.apply_(Trained(), seed=0, scope="recommended"))
    assert [found[f"net.{n}.weight"].status for n in (0, 2, 4)] == ["filled", "filled", "unknown"]


@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
def test_where_nobody_wrote_it_it_gets_the_scale_of_pytorchs_default(scope):
    with torch.device("meta"):
        model = Trained()
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, math.nan)
    report = initlint.apply_(model, seed=0, scope=scope)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    head = model.net[4]
    assert head.weight.std().item() == pytest.approx(1 / math.sqrt(3 * 64), rel=0.15)
    assert head.bias.eq(0).all()
    assert "what follows is not known" in outcomes(report)["net.4.weight"].reason


def test_a_parameter_from_empty_memory_is_still_an_error_of_the_class():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(8, 8))

        def forward(self, x):
            return torch.special.i0(x @ self.weight)

    with pytest.raises(InitlintError, match="weight"):
        initlint.materialize(Hidden, seed=0)
