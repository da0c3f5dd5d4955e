"""Weight norm: what its weights become, in both of torch's forms."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

import initlint


def old(layer, **options):
    return weight_norm(layer, **options)


FORMS = {
    "parametrization": parametrizations.weight_norm,
    "hook": old,
    "one size": lambda layer: parametrizations.weight_norm(layer, dim=None),
}


def net(wrap=lambda layer: layer):
    return nn.Sequential(
        *(wrap(nn.Linear(64, 64)), nn.ReLU(), wrap(nn.Linear(64, 64)), nn.ReLU()),
        *(wrap(nn.Linear(64, 64)), nn.ReLU(), wrap(nn.Linear(64, 5))),
    )


def weights(model):
    model(torch.zeros(1, 64))
    return [layer.weight.detach() for layer in model if isinstance(layer, nn.Linear)]


pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


@pytest.mark.parametrize("policy", ["following", "orthogonal"])
@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("form", FORMS)
def test_the_weight_is_drawn_as_without(form, scope, policy):
    torch.manual_seed(0)
    plain = net()
    model = net(FORMS[form])
    expected = initlint.apply_(plain, seed=1, scope=scope, policy=policy).layers
    report = initlint.apply_(model, seed=1, scope=scope, policy=policy)
    for layer, weight in zip(expected, weights(model), strict=True):
        assert weight.std().item() == pytest.approx(layer.recommended.std, rel=0.1)
    assert not model[0].bias.any()
    statuses = {one.status for one in report.outcomes}
    assert statuses == {"filled"}


@pytest.mark.parametrize("form", FORMS)
def test_without_a_finding_it_stays(form):
    model = net(FORMS[form])
    before = weights(model)
    initlint.apply_(model, seed=0)
    assert all(map(torch.equal, weights(model), before))


def test_a_size_that_was_set_stays():
    model = net(FORMS["parametrization"])
    nn.init.ones_(model[2].parametrizations.weight.original0)
    before = model[2].weight.detach().clone()
    initlint.apply_(model, seed=0, scope="all")
    assert model[2].weight.equal(before)


@pytest.mark.parametrize("scope", ["findings", "all"])
def test_a_materialized_model_has_finite_weights(scope):
    model = initlint.materialize(lambda: net(FORMS["parametrization"]), seed=0, scope=scope)
    wanted = {"findings": 1 / 192**0.5, "all": (2 / 64) ** 0.5}[scope]
    assert weights(model)[1].std().item() == pytest.approx(wanted, rel=0.1)


def test_nothing_is_changed_where_it_fails_midway(monkeypatch):
    model = net(FORMS["parametrization"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    monkeypatch.setattr("initlint.fill.making.report_on", lambda *_: 1 / 0)
    with pytest.raises(initlint.InitlintError, match="nothing was changed"):
        initlint.apply_(model, seed=0, scope="all")
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_other_parametrizations_stay():
    model = nn.Sequential(
        *(parametrizations.spectral_norm(nn.Linear(16, 16)), nn.ReLU()),
        *(parametrizations.orthogonal(nn.Linear(16, 16)), nn.ReLU(), nn.Linear(16, 2)),
    )
    report = initlint.apply_(model, seed=0, scope="all")
    kept = {one.parameter for one in report.outcomes if one.status == "kept"}
    assert {f"{i}.parametrizations.weight.original" for i in (0, 2)} <= kept
