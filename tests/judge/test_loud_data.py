"""Layers of a model whose given data are far from unit scale, as pixels from 0 to 255."""

import itertools

import pytest

import initlint

pytestmark = pytest.mark.torch


def _net(depth=6, std=None, norm=False, divided=False):
    """A function that makes a net: with a class, this file would be read as well."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(32) if norm else nn.Identity()
            self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
            self.last = nn.Linear(32, 4)
            for layer in self.layers if std else ():
                nn.init.normal_(layer.weight, std=std)

        def forward(self, x):
            x = self.norm(x / 255 if divided else x)
            for layer in self.layers:
                x = torch.relu(layer(x))
            return self.last(x)

    return lambda: Net()


def _pixels(scale=255.0):
    import torch

    return scale * torch.rand(64, 32, generator=torch.Generator().manual_seed(0))


def _codes(report):
    return [finding.code for finding in report.findings]


def test_a_default_that_fades_loud_data_is_no_finding():
    net = _net()
    assert set(_codes(initlint.check(net))) == {"INIT101"}
    report = initlint.check(net, _pixels())
    assert _codes(report) == []
    assert [gap.reason[:30] for gap in report.unanalysed] == ["its inputs have an rms of 147:"]


def test_apply_leaves_such_layers_alone():
    import torch

    torch.manual_seed(0)
    model = _net()()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = initlint.apply_(model, _pixels(), seed=0)
    assert {x.status for x in report.outcomes} == {"kept"}
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_data_near_unit_scale_change_nothing(scale):
    report = initlint.check(_net(), _pixels(scale))
    assert set(_codes(report)) == {"INIT101"}
    assert not report.unanalysed


@pytest.mark.parametrize("std", [1e-4, 1.0])
def test_what_is_far_off_with_loud_data_too_is_reported(std):
    assert set(_codes(initlint.check(_net(std=std), _pixels()))) >= {"INIT106"}


@pytest.mark.parametrize("form", [{"norm": True}, {"divided": True}])
def test_a_model_that_scales_its_data_is_judged_as_before(form):
    report = initlint.check(_net(**form), _pixels())
    assert set(_codes(report)) == set(_codes(initlint.check(_net(**form)))) == {"INIT101"}


def test_loud_data_are_no_loud_logits():
    """INIT305 is about the last layer, not about the data."""
    assert _codes(initlint.check(_net(depth=1), _pixels())) == []


def test_a_default_that_keeps_an_output_from_saturating_is_no_finding():
    """Recommended scales leave selu's signal loud, and its sigmoid lets less gradient through."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    codes, ways = torch.randn(64, 6, generator=generator), torch.randn(6, 24, generator=generator)
    data = 255 * (codes @ ways / 6**0.5).sigmoid()
    torch.manual_seed(0)
    sizes = itertools.pairwise((24, 32, 32, 12, 32, 32, 24))
    layers = [part for a, b in sizes for part in (nn.Linear(a, b), nn.SELU())]
    model = nn.Sequential(*layers[:-1], nn.Sigmoid())
    assert _codes(initlint.check(model, data)) == []
    report = initlint.apply_(model, data, seed=0)
    assert {x.status for x in report.outcomes} == {"kept"}
