"""scope: what apply_ and materialize fill by default, and what they keep because it was meant."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint
from initlint.fill.facts import facts_of
from initlint.records import InitlintError

SCOPES = ("findings", "recommended")


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(before, model):
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}


def outcomes(report):
    return {one.parameter: one for one in report.outcomes}


def deep(depth=12, width=64, activation=nn.ReLU):
    layers = [m for _ in range(depth) for m in (nn.Linear(width, width), activation())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class PreNorm(nn.Module):
    """PyTorch's defaults that need nothing: every branch is normalised."""

    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(40, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.ups = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(3))
        self.downs = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(3))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, 40)
        self.register_buffer("table", torch.randn(64, width))

    def forward(self, tokens):
        x = self.embed(tokens) + self.table[: tokens.shape[1]]
        for norm, up, down in zip(self.norms, self.ups, self.downs, strict=True):
            x = x + down(F.gelu(up(norm(x))))
        return self.head(self.last(x))


def test_the_layers_that_matter_of_a_deep_plain_net_are_filled_by_default():
    model, whole = deep(), deep()
    report = initlint.apply_(model, seed=1)
    initlint.apply_(whole, seed=1, scope="all")
    filled = [one.parameter for one in report.outcomes if one.status == "filled"]
    assert {f"{i}.weight" for i in range(2, 24, 2)} <= set(filled)
    for name in filled:
        assert model.get_parameter(name).equal(whole.get_parameter(name))


def test_a_model_that_needs_nothing_is_not_changed_and_that_is_said_in_one_line():
    model = PreNorm()
    before = state(model)
    report = initlint.apply_(model, seed=1)
    assert changed(before, model) == set()
    assert str(report).startswith("Nothing to fill: no weight is uninitialised or has a finding")
    assert len(str(report).splitlines()) == 1


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        ("findings", "is uninitialised or has a finding"),
        ("recommended", "is uninitialised, has a finding, or holds a default where another is"),
        ("all", "has a recommendation that could be drawn"),
    ],
)
@pytest.mark.parametrize("kind", ["embedding", "norm", "frozen"])
def test_the_line_says_why_nothing_is_filled_under_a_scope(scope, why, kind):
    kinds = {"embedding": nn.Embedding(9, 8), "norm": nn.LayerNorm(8), "frozen": nn.Linear(8, 8)}
    model = nn.Sequential(kinds[kind]).requires_grad_(kind != "frozen")
    report = initlint.apply_(model, seed=1, scope=scope)
    assert str(report).startswith(f"Nothing to fill: no weight {why}")
    assert len(str(report).splitlines()) == 1


@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
@pytest.mark.parametrize("make", [deep, PreNorm], ids=["deep", "prenorm"])
def test_every_parameter_and_buffer_is_in_the_report(make, scope):
    model = make()
    before = state(model)
    report = initlint.apply_(model, seed=1, scope=scope)
    found = outcomes(report)
    assert set(found) == {n for n, _ in (*model.named_parameters(), *model.named_buffers())}
    assert all(one.reason and one.before for one in report.outcomes)
    filled = {name for name, one in found.items() if one.status == "filled"}
    assert filled == changed(before, model)
    assert all(found[name].after for name in filled)


def test_recommended_fills_defaults_too_and_all_everything():
    counts = {}
    for scope in ("findings", "recommended", "all"):
        model = PreNorm()
        nn.init.normal_(model.ups[1].weight, std=0.1)
        before = state(model)
        initlint.apply_(model, seed=1, scope=scope)
        counts[scope] = changed(before, model)
    assert counts["findings"] == set()
    assert "ups.0.weight" in counts["recommended"] and "ups.1.weight" not in counts["recommended"]
    assert {"ups.0.weight", "ups.1.weight"} <= counts["all"]


def bilinear(module):
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    module.weight.data.zero_()
    for channel in range(4):
        module.weight.data[channel, channel] = ramp[:, None] * ramp


MEANT = {
    "zeros": (lambda: nn.Linear(16, 16), lambda m: nn.init.zeros_(m.weight)),
    "identity": (lambda: nn.Linear(16, 16), lambda m: nn.init.eye_(m.weight)),
    "constant": (lambda: nn.Linear(16, 16), lambda m: nn.init.constant_(m.weight, 0.1)),
    "small": (lambda: nn.Linear(16, 16), lambda m: nn.init.normal_(m.weight, std=0.2)),
    "four by four": (lambda: nn.Linear(4, 4), lambda m: nn.init.eye_(m.weight)),
    "dirac": (lambda: nn.Conv1d(8, 8, 3, padding=1), lambda m: nn.init.dirac_(m.weight)),
    "bilinear": (lambda: nn.ConvTranspose2d(4, 4, 4, 2, 1), bilinear),
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("way", ["apply_", "materialize"])
@pytest.mark.parametrize("kind", MEANT)
def test_what_was_meant_is_kept_and_listed(kind, way, scope):
    layer, write = MEANT[kind]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = layer()
            write(self.inner)

        def forward(self, x):
            return self.inner(torch.relu(self.inner.weight.sum() * 0 + x))

    expected = Net().inner.weight
    if way == "materialize":
        weight = initlint.materialize(Net, seed=0, scope=scope).inner.weight
        assert torch.equal(weight, expected) or kind == "small"
        assert weight.std().item() == pytest.approx(expected.std().item(), rel=0.2, abs=1e-9)
        return
    model = Net()
    before = model.inner.weight.detach().clone()
    report = initlint.apply_(model, seed=0, scope=scope)
    assert torch.equal(model.inner.weight, before)
    assert outcomes(report)["inner.weight"].status in ("kept", "unknown")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (4, 4), (3, 64), (257, 129)])
def test_pytorchs_default_is_recognised_whatever_the_size(fan_in, fan_out, dtype):
    from initlint.fill.present import present_in

    for seed in range(30 if fan_in < 100 else 5):
        torch.manual_seed(seed)
        made = nn.ModuleDict(
            {
                "linear": nn.Linear(fan_in, fan_out, dtype=dtype),
                "conv": nn.Conv2d(fan_in, fan_out, 3, dtype=dtype),
                "up": nn.ConvTranspose1d(fan_in, fan_out, 2, stride=2, dtype=dtype),
                "both": nn.Bilinear(fan_in, 2, fan_out, dtype=dtype),
                "cell": nn.GRUCell(fan_in, fan_out, dtype=dtype),
            }
        )
        found = present_in(made)
        assert {one.kind for one in found.values()} == {"default"}
        cast = present_in(made.to(torch.bfloat16).float())
        assert {one.kind for one in cast.values()} == {"default"}


DRAWS = {
    "normal": lambda w, b: nn.init.normal_(w, std=b / math.sqrt(3)),
    "wider": lambda w, b: nn.init.uniform_(w, -1.3 * b, 1.3 * b),
    "narrower": lambda w, b: nn.init.uniform_(w, -0.7 * b, 0.7 * b),
    "two values": lambda w, b: w.data.bernoulli_().mul_(2 * b).sub_(b),
    "a grid": lambda w, b: w.data.copy_(torch.linspace(-b, b, w.numel()).view(w.shape)),
    "one row zero": lambda w, b: w.data[: max(1, len(w) // 4)].zero_(),
    "one element": lambda w, b: w.data[0, 0].fill_(3 * b),
    "shifted": lambda w, b: w.data.add_(b / 2),
}


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("size", [(4, 4), (32, 100), (1000, 1000)])
def test_other_draws_are_not_taken_for_it(kind, size):
    from initlint.fill.present import present_in

    taken = 0
    for seed in range(20 if size[0] < 1000 else 2):
        torch.manual_seed(seed)
        layer = nn.Linear(*size[::-1])
        with torch.no_grad():
            DRAWS[kind](layer.weight, 1 / math.sqrt(size[1]))
        taken += present_in(layer)["weight"].kind == "default"
    # Of 16 elements a few in a hundred draws are as likely the one as the other.
    assert taken <= (3 if size == (4, 4) else 0)


def test_biases_become_zero_only_where_they_hold_the_default_draw():
    model = deep()
    nn.init.constant_(model[4].bias, -2.0)
    nn.init.normal_(model[6].bias, std=0.01)
    nn.init.eye_(model[8].bias.data.view(8, 8))
    before = state(model)
    report = initlint.apply_(model, seed=1)
    assert {f"{i}.bias" for i in (4, 6, 8)}.isdisjoint(changed(before, model))
    assert not model[10].bias.any() and not model[2].bias.any()
    assert {"4.bias", "6.bias", "8.bias"} <= {gap.target for gap in report.unanalysed}


def smooth(rows, columns):
    waves = torch.arange(columns) * torch.linspace(0.05, 0.4, rows)[:, None]
    return 0.01 * torch.cos(waves) * torch.exp(-((torch.arange(columns) / columns - 0.4) ** 2))


STRUCTURED = {
    "waves": smooth(32, 32),
    "a diagonal with noise": 0.5 * torch.eye(32) + 1e-3 * torch.randn(32, 32),
    "a table of steps": 1e-3 * torch.arange(1024.0).view(32, 32).sqrt(),
    "whole numbers": torch.arange(1024.0).view(32, 32) % 37,
    "numbers by hand": torch.tensor([0.1, -0.25, 0.03, 0.05]).repeat(32, 8),
}


@pytest.mark.parametrize("way", ["apply_", "materialize"])
@pytest.mark.parametrize("kind", STRUCTURED)
def test_a_structure_is_kept_whatever_its_scale(kind, way):
    def make():
        model = deep(depth=12, width=32)
        model[8].weight.data.copy_(STRUCTURED[kind])
        return model

    model = make() if way == "apply_" else initlint.materialize(make, seed=0)
    if way == "apply_":
        initlint.apply_(model, seed=0)
    assert torch.equal(model[8].weight, STRUCTURED[kind])
    assert model[6].weight.std() > 0.2


@pytest.mark.parametrize("draw", ["normal_", "xavier_uniform_", "orthogonal_", "trunc_normal_"])
@pytest.mark.parametrize("size", [(4, 4), (8, 16), (64, 64), (300, 7)])
def test_draws_have_no_structure(draw, size):
    for seed in range(20):
        torch.manual_seed(seed)
        assert not facts_of(getattr(nn.init, draw)(torch.empty(size))).is_structured


def test_a_bias_of_numbers_by_hand_is_no_default_draw():
    model = deep(depth=12)
    model[8].bias.data = torch.tensor([0.1, -0.05, 0.02, 0.08]).repeat(16)
    before = model[8].bias.detach().clone()
    initlint.apply_(model, seed=0)
    assert torch.equal(model[8].bias, before) and not model[6].bias.any()


@pytest.fixture
def broken_memory():
    """Memory that nothing wrote is NaN."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(False)


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.gain


def with_norm(norm):
    return lambda: nn.Sequential(nn.Linear(8, 8), norm(8), nn.ReLU(), nn.Linear(8, 8))


class WithBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("shift", torch.arange(8.0))

    def forward(self, x):
        return torch.relu(self.fc(x)) + self.shift


BARE = {
    "1.gain": with_norm(Scale),
    "1.weight": with_norm(nn.LayerNorm),
    "1.running_mean": with_norm(nn.BatchNorm1d),
    "shift": WithBuffer,
    "0.weight": lambda: nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.ReLU()),
}


@pytest.mark.parametrize(("place", "left"), [(slice(None), 4.5e-41), (3, 1.3e27)])
def test_what_is_left_of_addresses_and_counts_is_no_weight(place, left):
    model = with_norm(nn.LayerNorm)()
    with torch.no_grad():
        model[1].weight[place] = left
    with pytest.raises(InitlintError, match=r"uninitialised memory.*1\.weight"):
        initlint.apply_(model, seed=0)


@pytest.mark.parametrize("scope", ["findings", "recommended"])
@pytest.mark.parametrize("small", [1e-40, -5.6e-45, 1e-38])
def test_a_trained_filter_that_decayed_to_almost_zero_is_no_leftover(small, scope):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.normal_(0, 0.2)
            layer.weight[5] = small
            layer.bias[5] = small
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initlint.apply_(model, seed=0, scope=scope)
    after = model.state_dict()
    assert [name for name, value in before.items() if not value.equal(after[name])] == []


@pytest.mark.usefixtures("broken_memory")
@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("way", ["apply_", "materialize"])
def test_memory_that_nothing_wrote_is_named(way, name, scope):
    def make():
        with torch.device("meta"):
            model = BARE[name]()
        return model.to_empty(device="cpu")

    with pytest.raises(InitlintError, match=rf"uninitialised memory.*{name}"):
        if way == "apply_":
            initlint.apply_(make(), seed=0, scope=scope)
        else:
            initlint.materialize(make, seed=0, scope=scope)


@pytest.mark.parametrize("way", ["apply_", "materialize"])
def test_weights_without_values_are_filled_whatever_lies_in_their_memory(way):
    def make():
        with torch.device("meta"):
            model = deep(3)
        return model.to_empty(device="cpu")

    model, whole = make(), deep(3)
    for parameter in model.parameters():
        parameter.data.zero_()
    if way == "apply_":
        initlint.apply_(model, seed=5)
    else:
        model = initlint.materialize(make, seed=5)
    initlint.apply_(whole, seed=5, scope="all")
    assert all(map(torch.equal, model.parameters(), whole.parameters()))


@pytest.mark.usefixtures("broken_memory")
def test_what_is_left_out_may_have_no_values_yet():
    with torch.device("meta"):
        model = with_norm(Scale)()
    model.to_empty(device="cpu")
    initlint.apply_(model, seed=0, skip="1")
    assert model[0].weight.isfinite().all() and model[1].gain.isnan().all()


@pytest.mark.usefixtures("broken_memory")
def test_what_was_written_after_to_empty_is_no_empty_memory():
    with torch.device("meta"):
        model = with_norm(Scale)()
    model.to_empty(device="cpu")
    nn.init.ones_(model[1].gain)
    initlint.apply_(model, seed=0)
    assert model[0].weight.isfinite().all() and (model[1].gain == 1).all()


def test_a_second_call_finds_nothing_to_do():
    for make in (deep, lambda: deep(activation=nn.Tanh)):
        model = make()
        initlint.apply_(model, seed=0)
        before = state(model)
        report = initlint.apply_(model, seed=1)
        assert changed(before, model) == set() and "Nothing to fill" in str(report)


def test_a_copied_model_is_no_uninitialised_one():
    model = copy.deepcopy(PreNorm())
    for down in model.downs:
        nn.init.zeros_(down.weight)
    model = copy.deepcopy(model)
    before = state(model)
    initlint.apply_(model, seed=0)
    assert changed(before, model) == set()


def test_an_unknown_hidden_layer_keeps_the_head_from_being_scaled_up():
    class Waves(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.hidden = nn.Linear(2, 32), nn.Linear(32, 32)
            self.head = nn.Linear(32, 1)

        def forward(self, x):
            return self.head(torch.cos(30 * self.hidden(torch.cos(30 * self.first(x)))))

    for scope in SCOPES:
        model = Waves()
        before = state(model)
        initlint.apply_(model, seed=0, scope=scope)
        assert changed(before, model) == set()


@pytest.mark.parametrize("given", ["some", None, "ALL"])
def test_an_unknown_scope_is_refused(given):
    words = r"no such scope; choose one of findings, recommended, all"
    with pytest.raises(InitlintError, match=words):
        initlint.apply_(deep(2), scope=given)
    with pytest.raises(InitlintError, match=words):
        initlint.materialize(deep, scope=given)


@pytest.mark.parametrize(
    "options",
    [
        {"skip": "*"},
        {"overrides": {"*": "keep"}},
        {"overrides": {"*.weight": 0.1, "*.bias": "zeros_"}},
    ],
)
def test_where_nothing_is_left_to_decide_no_graph_is_made(options, monkeypatch):
    from initlint.tracing import layers

    def refuses(*args):
        raise AssertionError("a graph was made")

    monkeypatch.setattr(layers, "graphs_of", refuses)
    report = initlint.apply_(deep(3), seed=0, **options)
    assert len(report.outcomes) == 8
    model = deep(3)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert "Nothing to fill" in str(initlint.apply_(model, seed=0))


def test_the_order_of_elements_in_memory_makes_no_difference():
    from initlint.fill.present import present_in

    layer, conv = nn.Linear(300, 200), nn.Conv2d(16, 16, 3).to(memory_format=torch.channels_last)
    layer.weight = nn.Parameter(torch.empty(300, 200).t().copy_(layer.weight.detach()))
    assert not layer.weight.is_contiguous() and not conv.weight.is_contiguous()
    assert present_in(layer)["weight"].kind == present_in(conv)["weight"].kind == "default"


def test_a_buffer_of_one_element_expanded_to_many_is_not_read_out():
    model = deep(2)
    model.register_buffer("huge", torch.zeros(1).expand(10**12))
    report = initlint.apply_(model, seed=0)
    assert outcomes(report)["huge"].status == "kept"


class Faint(nn.Module):
    """Four blocks of std 0.02 at width 32, whose branches add nothing to the stream."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(4))
        self.ups = nn.ModuleList(nn.Linear(32, 64) for _ in range(4))
        self.downs = nn.ModuleList(nn.Linear(64, 32) for _ in range(4))
        self.norm, self.out = nn.LayerNorm(32), nn.Linear(32, 8)
        for layer in (*self.ups, *self.downs):
            nn.init.normal_(layer.weight, std=0.02)

    def forward(self, x):
        for norm, up, down in zip(self.norms, self.ups, self.downs, strict=True):
            x = x + down(torch.relu(up(norm(x))))
        return self.out(self.norm(x))


def test_all_layers_that_one_finding_names_are_filled():
    model = Faint()
    [finding] = [one for one in initlint.check(model).findings if one.code == "INIT301"]
    report = initlint.apply_(model, seed=0)
    filled = {one.parameter for one in report.outcomes if one.status == "filled"}
    # Larger last layers alone do not help: the blocks are filled whole.
    names = {f"{part}.{place}.weight" for part in ("ups", "downs") for place in range(4)}
    assert names <= filled and "out.weight" not in filled
    assert finding.parameters[0] in filled


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(100, 64), nn.LayerNorm(64)
        self.rnn = nn.LSTM(64, 64)
        self.head = nn.Linear(64, 100, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.norm(self.rnn(self.embed(ids))[0]))


def test_a_finding_that_stays_is_named_though_nothing_is_filled():
    model = Tied()
    assert [one.code for one in initlint.check(model).findings] == ["INIT305"]
    report = initlint.apply_(model, seed=0)
    assert "not understood embed.weight: " in str(report)
    assert "Nothing to fill: no weight that is understood is uninitialised" in str(report)


def test_what_feeds_a_recurrence_is_not_said_to_see_the_data():
    (kept,) = (o for o in initlint.apply_(Tied(), seed=0).outcomes if "weight_ih" in o.parameter)
    assert (kept.status, kept.reason) == ("kept", "it feeds a recurrence")


def test_a_bias_beside_a_weight_that_overrides_name_is_not_said_to_belong_to_a_kept_layer():
    report = initlint.apply_(nn.Sequential(nn.Linear(8, 8)), seed=0, overrides={"0.weight": 0.02})
    why = {one.parameter: (one.status, one.reason) for one in report.outcomes}
    assert why["0.weight"] == ("filled", "overrides")
    assert why["0.bias"] == ("kept", "the overrides name its weight alone")
