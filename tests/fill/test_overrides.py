"""overrides: another initialiser, another std, or keep, for what a pattern names."""

import functools
import math

import pytest
import torch
from torch import nn

import initlint
from initlint.records import InitlintError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(60, 64), nn.LayerNorm(64)
        self.a, self.b, self.out = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 9)

    def forward(self, tokens):
        x = self.norm(self.embed(tokens))
        return self.out(torch.relu(self.b(torch.relu(self.a(x)))))


def state(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def changed(before, model):
    return {n for n, value in model.named_parameters() if not value.equal(before[n])}


def _name(value):
    """A test's name must be the same in every process."""
    if isinstance(value, functools.partial):
        return f"partial-{value.func.__name__}"
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(
    ("given", "std"),
    [
        (0.02, 0.02),
        (nn.init.xavier_uniform_, 0.125),
        ("xavier_normal_", 0.125),
        ("xavier_normal", 0.125),
        (functools.partial(nn.init.normal_, std=0.3), 0.3),
        (("uniform_", {"a": -0.6, "b": 0.6}), 0.3464),
        (("orthogonal_", {"gain": 2.0}), 0.25),
        (("trunc_normal_", {"std": 0.02}), 0.02),
    ],
    ids=_name,
)
@pytest.mark.parametrize("way", ["apply_", "materialize"])
def test_an_override_decides_what_its_pattern_names(way, given, std):
    model = Net()
    before = state(model)
    if way == "apply_":
        report = initlint.apply_(model, seed=0, overrides={"a.weight": given})
        (one,) = [one for one in report.outcomes if one.reason == "overrides"]
        assert one.parameter == "a.weight" and one.status == "filled" and "std" in one.after
        filled = {one.parameter for one in report.outcomes if one.status == "filled"}
        assert changed(before, model) == filled
    else:
        model = initlint.materialize(Net, seed=0, overrides={"a.weight": given})
    assert model.a.weight.std().item() == pytest.approx(std, rel=0.06)


def test_apply_and_materialize_draw_the_same():
    options = {"seed": 3, "overrides": {"embed": 0.02, "out": "zeros_"}, "scope": "all"}
    model = Net()
    initlint.apply_(model, **options)
    made = initlint.materialize(Net, **options)
    assert all(map(torch.equal, model.parameters(), made.parameters()))
    assert not model.out.weight.any() and not model.out.bias.any()


def test_keep_keeps_and_a_later_pattern_counts_more():
    model = Net()
    before = state(model)
    initlint.apply_(model, seed=0, scope="all", overrides={"*": "keep", "b": 0.5})
    assert changed(before, model) == {"b.weight", "b.bias"}
    assert model.b.weight.std().item() == pytest.approx(0.5, rel=0.05) and not model.b.bias.any()
    model = Net()
    report = initlint.apply_(model, seed=0, scope="all", overrides={"a": "keep"})
    reasons = {one.parameter: one.reason for one in report.outcomes}
    assert reasons["a.weight"] == reasons["a.bias"] == "overrides says keep"


def test_a_module_is_overridden_but_not_its_bias_that_was_set():
    model = Net()
    nn.init.constant_(model.a.bias, 3.0)
    initlint.apply_(model, seed=0, overrides={"a": 0.1, "norm.weight": ("constant_", {"val": 2.0})})
    assert (model.a.bias == 3).all() and (model.norm.weight == 2).all()


@pytest.mark.parametrize("policy", ["orthogonal", "calibrated"])
def test_policies_leave_it_as_it_is(policy):
    model = Net()
    tokens = torch.randint(60, (32, 5))
    initlint.apply_(model, tokens, seed=0, policy=policy, scope="all", overrides={"a.weight": 0.02})
    assert model.a.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"c": 0.1}, "overrides c: no parameter or module has that name"),
        ({"a": "lecun"}, "overrides a: 'lecun' is no initialiser"),
        ({"a": -0.1}, "overrides a: -0.1 is no initialiser"),
        ({"a": True}, "overrides a: True is no initialiser"),
        ({"a": ("normal_", {"sd": 1})}, "is no initialiser"),
        ({"a.bias": "xavier_normal_"}, r"xavier_normal_ cannot fill a.bias of shape \(64,\)"),
        ({"a.bias": ("constant_", {"val": math.nan})}, "constant_ cannot fill a.bias of shape"),
        ({"a.bias": ("normal_", {"std": -1.0})}, "normal_ cannot fill a.bias of shape"),
        ({"a.weight": "eye_"}, "eye_ with these arguments cannot be drawn in blocks"),
        (["a"], "write a dict of patterns and initialisers"),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", ["apply_", "materialize"])
def test_what_is_no_override_is_refused_and_nothing_is_changed(way, given, words):
    model = Net()
    before = state(model)
    with pytest.raises(InitlintError, match=words):
        getattr(initlint, way)(model if way == "apply_" else Net, seed=0, overrides=given)
    assert changed(before, model) == set()


def test_a_frozen_parameter_is_named():
    model = Net()
    model.a.weight.requires_grad_(False)
    with pytest.raises(
        InitlintError, match=r"overrides a\*: a\.weight cannot be filled: it is fro"
    ):
        initlint.apply_(model, seed=0, overrides={"a*": 0.1})
