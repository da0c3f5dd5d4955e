"""profile of live models: predicted against measured, and nothing of the model's is touched."""

import copy
import math
import random
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import initlint
from initlint.profile.signals import WAYS
from initlint.profile.table import render


def mlp(depth=4, kind=nn.ReLU, width=96):
    torch.manual_seed(1)
    layers = [x for _ in range(depth) for x in (nn.Linear(width, width), kind())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def close(one, other, share):
    return math.isclose(one, other, rel_tol=share)


def test_predicted_is_what_is_measured():
    found = initlint.profile(mlp())
    assert [row.parameter for row in found.rows] == [f"{n}.weight" for n in (0, 2, 4, 6, 8)]
    for rows in (found.rows, found.recommended, found.default):
        for row in rows:
            assert row.low < row.predicted < row.high
            assert close(row.predicted, row.measured, 0.3)
            assert close(row.predicted_gradient, row.measured_gradient, 0.3)


def test_recommended_is_what_apply_leaves():
    """The first layer sees the data, the last has no activation: three of five are filled."""
    model = mlp()
    found = initlint.profile(model)
    initlint.apply_(model, seed=0)
    filled = initlint.profile(model)
    assert found.recommended[-1].predicted > 3 * found.default[-1].predicted
    for recommended, row in zip(found.recommended, filled.rows, strict=True):
        assert close(recommended.predicted, row.predicted, 0.1)


def test_the_present_weights_count():
    model = mlp()
    with torch.no_grad():
        for layer in model[::2]:
            layer.weight.mul_(3)
    found = initlint.profile(model)
    assert found.rows[-1].measured > 50 * found.default[-1].measured
    assert close(found.rows[-1].predicted, found.rows[-1].measured, 0.3)


def test_inputs_count_as_they_are():
    found = initlint.profile(mlp(), 255 * torch.rand(64, 96))
    assert "given" in found.models[0].assumed
    for row in found.rows:
        assert close(row.predicted, row.measured, 0.35), row


def test_without_inputs_the_assumption_is_said():
    found = initlint.profile(mlp())
    assert "mean 0 and variance 1" in found.models[0].assumed
    assert "mean 0 and variance 1" in str(found)


class Everything(nn.Module):
    """All that a run may change: buffers, dropout, a counter, a list, a generator, a class."""

    seen = []  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 4)
        self.register_buffer("count", torch.zeros(()))
        self.history = []
        self.chance = torch.Generator().manual_seed(3)

    def forward(self, x):
        self.count += 1
        self.history.append(1)
        self.seen.append(1)
        random.random()
        noise = torch.rand(8, generator=self.chance)
        x = self.drop(self.norm(self.conv(x)).relu()).mean((2, 3))
        return self.fc(x + 0 * noise)


def state_of(model):
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    asked = [p.requires_grad for p in model.parameters()]
    others = (list(model.history), list(Everything.seen), model.chance.get_state())
    return tensors, modes, asked, others


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(training):
    model = Everything().train(training)
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    before, states = state_of(model), (torch.get_rng_state(), random.getstate())
    versions = [p._version for p in (*model.parameters(), *model.buffers())]
    found = initlint.profile(model)
    assert found.rows[0].measured is not None
    after = state_of(model)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:3] == after[1:3]
    assert before[3][:2] == after[3][:2]
    assert torch.equal(before[3][2], after[3][2])
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert [p._version for p in (*model.parameters(), *model.buffers())] == versions
    assert all(p.grad is None for p in model.parameters())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())


def test_the_same_model_gives_the_same_profile():
    model = mlp()
    assert initlint.profile(model).rows == initlint.profile(model).rows


class Bare(nn.Module):
    """Weights that functions use, one of them transposed, one of them twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(64, 64) / 8)
        self.second = nn.Parameter(torch.randn(64, 64) / 8)
        self.last = nn.Linear(64, 64)

    def forward(self, x):
        x = F.linear(x, self.first).relu()
        x = (x @ self.second.t()).relu()
        x = F.linear(x, self.first).relu()
        return F.linear(self.last(x), self.last.weight)


def test_weights_that_functions_use():
    torch.manual_seed(0)
    found = initlint.profile(Bare())
    names = [row.parameter for row in found.rows]
    assert names == ["first", "second", "first", "last.weight", "last.weight"]
    for row in found.rows[:-1]:
        assert close(row.predicted, row.measured, 0.35), row
    assert found.rows[0].measured != found.rows[2].measured
    assert "first (2)" in str(found)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 64)
        self.cell = nn.GRU(64, 64, batch_first=True)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.head = nn.Linear(64, 50)

    def forward(self, tokens):
        x, _ = self.cell(self.table(tokens))
        x, _ = self.attention(x, x, x)
        return self.head(x)


def test_one_row_for_each_layer_of_torch():
    found = initlint.profile(Tokens(), torch.randint(50, (8, 12)))
    layers = [(row.layer, row.type) for row in found.rows]
    assert layers == [
        ("table", "Embedding"),
        ("cell", "GRU"),
        ("attention", "MultiheadAttention"),
        ("head", "Linear"),
    ]
    assert all(row.measured is not None for row in found.rows)
    assert close(found.rows[0].predicted, found.rows[0].measured, 0.1)


class Sorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(64, 64) for _ in range(3))
        self.norm = nn.LayerNorm(64)

    def forward(self, x):
        return self.c(self.norm(self.b(torch.cumsum(self.a(x), -1))))


def test_an_unknown_operation_is_named_and_what_follows_is_relative():
    found = initlint.profile(Sorted())
    a, b, c = found.rows
    assert a.relative_to == "" and "cumsum" in b.relative_to and c.relative_to == ""
    assert "cumsum" in a.gradient_relative_to
    text = str(found)
    assert re.search(r"from b on, the prediction is relative to there: cumsum", text)
    assert "~" in text and a.measured is not None and b.measured is not None


class Fails(nn.Module):
    """It can be traced, but not run."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(9, 2)

    def forward(self, x):
        return self.b(self.a(x))


def test_a_run_that_fails_is_said_in_one_line():
    with pytest.raises(initlint.InitlintError) as error:
        initlint.profile(Fails())
    assert "\n" not in str(error.value)


class OnlyInEval(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x):
        if self.training:
            raise ValueError("not while\ntraining")
        return self.a(x)


def test_what_fails_in_training_is_predicted_and_not_measured():
    found = initlint.profile(OnlyInEval().eval())
    assert found.rows[0].measured is None and found.rows[0].predicted > 0
    notes = [note for note in found.models[0].notes if note.startswith("not measured")]
    assert notes and all("\n" not in note and "not while" in note for note in notes)


def test_a_class_is_built_with_its_arguments():
    found = initlint.profile(mlp, args={"depth": 2, "kind": nn.Tanh})
    assert [model.model for model in found.models] == ["mlp"]
    assert len(found.rows) == 3 and found.rows[0].measured is not None


def test_lazy_layers_get_their_shapes():
    model = nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.LazyLinear(4))
    found = initlint.profile(model, torch.randn(16, 24))
    assert [row.measured is not None for row in found.rows] == [True, True]
    assert isinstance(model[0].weight, nn.parameter.UninitializedParameter)


def test_what_a_wrapper_holds():
    found = initlint.profile(torch.nn.DataParallel(mlp()))
    assert len(found.rows) == 5 and found.rows[0].measured is not None


class Uncopied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x)

    def __deepcopy__(self, memo):
        raise TypeError("never\ncopied")


REFUSED = {
    "meta": (lambda: nn.Linear(4, 4, device="meta"), "meta device"),
    "not copied": (Uncopied, "never copied"),
    "scripted": (lambda: torch.jit.script(nn.Linear(4, 4)), "scripted"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_profiled_is_refused_in_one_line(make, said):
    with pytest.raises(initlint.InitlintError, match=said) as error:
        initlint.profile(make())
    assert "\n" not in str(error.value)


def test_other_things_are_refused():
    with pytest.raises(initlint.InitlintError, match="not int"):
        initlint.profile(3)


def test_the_default_is_that_of_torchs_own_layers():
    class Own(nn.Linear):
        def reset_parameters(self):
            nn.init.constant_(self.weight, 7.0)
            nn.init.zeros_(self.bias)

    found = initlint.profile(nn.Sequential(Own(64, 64), nn.ReLU(), nn.Linear(64, 4)))
    assert found.rows[0].measured > 50 * found.default[0].measured
    assert close(found.default[0].predicted, 1 / math.sqrt(3), 0.1)


def test_all_ways_have_the_same_rows():
    found = initlint.profile(mlp()).models[0]
    assert set(found.rows) == set(WAYS)
    assert len({tuple(row.parameter for row in rows) for rows in found.rows.values()}) == 1


@pytest.mark.parametrize("width", [40, 80, 100, 130, 200])
def test_the_table_fits_where_it_can(width):
    found = initlint.profile(mlp(2))
    text = render(found.models, found.report, width=width)
    table = [line for line in text.splitlines() if line[:2].strip().isdecimal()]
    assert len(table) == 3 and all(len(line) <= width for line in table)
    assert width < 80 or all("…" not in line for line in table)
    assert ("90 %" in text) == (width >= 130)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(50, 64), nn.Linear(64, 50, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens):
        return self.head(self.table(tokens))


def test_layers_that_share_a_weight_have_a_row_each():
    found = initlint.profile(Tied(), torch.arange(48).reshape(6, 8))
    assert [row.layer for row in found.rows] == ["table", "head"]
    table, head = found.rows
    assert close(table.measured, 1.0, 0.1)
    # The entry that was looked up is itself one of the rows: E[y²] = 64 + 64² / 50.
    assert close(head.measured, math.sqrt(64 + 64**2 / 50), 0.1)


def test_a_model_can_be_profiled_again_after_a_copy():
    model = mlp()
    rows = initlint.profile(copy.deepcopy(model)).rows
    assert rows == initlint.profile(model).rows


def test_repr_is_one_line():
    found = initlint.profile(mlp(1))
    assert repr(found) == "<Profile of Sequential: 2 layers>"
