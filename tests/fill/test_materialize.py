"""materialize: from a class, a factory, or a model on meta to the weights that are right."""

import functools
import math

import pytest
import torch
from torch import nn

import initlint
from initlint.records import InitlintError


class Net(nn.Module):
    """Something of everything that a constructor leaves in tensors."""

    def __init__(self, width=64):
        super().__init__()
        self.embed = nn.Embedding(50, width, padding_idx=0)
        self.fc1 = nn.Linear(width, 256)
        self.norm = nn.LayerNorm(256)
        self.fc2 = nn.Linear(256, width)
        self.lstm = nn.LSTM(width, 8)
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(width, 50, bias=False)
        self.head.weight = self.embed.weight
        self.scale = nn.Parameter(torch.full((width,), 1e-2))
        self.scale.kept = "an attribute of a parameter"
        self.position = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        angles = torch.outer(torch.arange(16.0), 1 / 10 ** torch.linspace(0, 1, 32))
        self.register_buffer("table", torch.cat([angles.sin(), angles.cos()], 1), persistent=False)
        self.mix = nn.Parameter(torch.empty(8, width))
        nn.init.orthogonal_(self.mix)
        self.cut = nn.Parameter(torch.empty(100, 100))
        nn.init.trunc_normal_(self.cut, std=0.5, a=-1.0, b=1.0)
        self.copied = nn.Linear(width, width)
        self.copied.weight.data.copy_(self.fc2.weight[:, :width])
        self.indices = torch.arange(4) * 2
        self.loose = {"sizes": [torch.arange(3.0), 7], "same": (self.scale,)}

    def forward(self, tokens):
        x = self.embed(tokens) + self.position[:, : tokens.shape[1]] + self.table
        x = x + self.scale * self.fc2(self.norm(self.fc1(x)).relu())
        return self.head(x)


def state(model):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@pytest.fixture(scope="module")
def made():
    return initlint.materialize(Net, seed=3, scope="all")


def test_nothing_stays_on_meta_and_the_model_runs(made):
    assert not any(value.is_meta for value in state(made).values())
    assert made(torch.zeros(2, 16, dtype=torch.long)).shape == (2, 16, 50)


def test_buffers_and_tables_are_what_the_constructor_computes(made):
    ordinary = Net()
    for name in ("table", "bn.running_var", "bn.num_batches_tracked", "scale", "norm.weight"):
        assert state(made)[name].equal(state(ordinary)[name]), name
    assert made.indices.equal(ordinary.indices)
    assert made.loose["sizes"][0].equal(torch.arange(3.0)) and made.loose["sizes"][1] == 7


def test_what_the_constructor_draws_has_its_distribution(made):
    assert made.embed.weight[1:].std().item() == pytest.approx(1, rel=0.05)
    assert not made.embed.weight[0].any()
    assert made.position.std().item() == pytest.approx(0.02, rel=0.1)
    assert torch.allclose(made.mix @ made.mix.T, torch.eye(8), atol=1e-5)
    assert made.lstm.weight_ih_l0.abs().max().item() <= 1 / math.sqrt(8)
    assert made.cut.abs().max().item() <= 1
    assert made.cut.std().item() == pytest.approx(0.44, rel=0.03)


def test_ties_copies_and_attributes_stay(made):
    assert made.head.weight is made.embed.weight
    assert made.scale.kept == "an attribute of a parameter"
    assert made.loose["same"][0] is made.scale
    assert made.lstm._flat_weights[0] is made.lstm.weight_ih_l0
    assert made.copied.weight.equal(made.fc2.weight[:, :64])


def test_recommended_weights_are_those_of_apply(made):
    model = Net()
    initlint.apply_(model, seed=3, scope="all")
    assert made.fc1.weight.equal(model.fc1.weight) and not made.fc1.bias.any()
    assert not made.fc1.weight.equal(initlint.materialize(Net, seed=4, scope="all").fc1.weight)


def test_same_seed_same_everything(made):
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = state(initlint.materialize(Net, seed=3, scope="all"))
    assert torch.get_rng_state().equal(before)
    assert all(value.equal(again[name]) for name, value in state(made).items())


def test_arguments_patterns_and_dtype():
    def build(width):
        return Net(width).bfloat16()

    model = initlint.materialize(build, seed=3, args={"width": 64}, skip=["fc1"], scope="all")
    assert model.fc2.weight.dtype is torch.bfloat16
    assert model.fc1.weight.float().std().item() == pytest.approx(1 / math.sqrt(3 * 64), rel=0.05)


def test_a_constructor_that_needs_values_is_called_on_the_device():
    class Rates(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = torch.linspace(8, 16, 3).long().tolist()
            self.layers = nn.Sequential(*[nn.Linear(8, size) for size in sizes[:1]], nn.ReLU())

        def forward(self, x):
            return self.layers(x)

    model = initlint.materialize(Rates, seed=1, scope="all")
    again = initlint.materialize(Rates, seed=1, scope="all")
    assert not model.layers[0].bias.any() and torch.equal(
        model.layers[0].weight, again.layers[0].weight
    )


def test_a_live_model_of_torchs_layers():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 300), nn.BatchNorm1d(300), nn.ReLU(), nn.Linear(300, 2))
    same = initlint.materialize(model, seed=1, scope="all")
    assert same is model
    assert model[1].running_var.equal(torch.ones(300)) and model[1].weight.equal(torch.ones(300))
    assert model(torch.randn(4, 8)).shape == (4, 2)


@pytest.mark.parametrize("policy", ["following", "calibrated"])
def test_what_is_there_already_is_kept(policy):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    loaded = nn.Linear(8, 8).state_dict()
    model[0].load_state_dict(loaded, assign=True)
    initlint.materialize(model, seed=1, policy=policy, scope="all")
    assert model[0].weight.equal(loaded["weight"]) and model[0].bias.equal(loaded["bias"])
    assert model[2].weight.std() > 0
    why = "no parameter is on the meta device, so there is nothing to fill: use apply_"
    with pytest.raises(InitlintError, match=why):
        initlint.materialize(model, seed=1, scope="all")


def test_a_bias_that_is_there_is_kept_beside_a_weight_that_is_not():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    model[0].bias = nn.Parameter(torch.arange(8.0))
    initlint.materialize(model, seed=1, policy="calibrated", scope="all")
    assert model[0].bias.equal(torch.arange(8.0)) and model[0].weight.std() > 0


def test_what_nobody_writes_is_named_and_nothing_is_filled():
    class Forgotten(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.gate = nn.Parameter(torch.empty(3))

        def forward(self, x):
            return self.fc(x) * self.gate

    with pytest.raises(InitlintError, match=r"cannot be filled \(gate\)"):
        initlint.materialize(Forgotten, scope="all")
    with torch.device("meta"):
        live = Net()
    with pytest.raises(InitlintError, match="scale, position, mix, cut, table"):
        initlint.materialize(live, scope="all")
    assert all(parameter.is_meta for parameter in live.parameters())


def test_a_factory_that_fails_is_told_in_one_line():
    with pytest.raises(InitlintError, match="ValueError: no such size"):
        initlint.materialize(_failing, scope="all")


def _failing():
    raise ValueError("no such size")


def test_lazy_layers_are_refused():
    with pytest.raises(InitlintError, match=r"fc\.weight is lazy|0\.weight is lazy"):
        initlint.materialize(
            lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU()), torch.zeros(2, 3), scope="all"
        )


@pytest.mark.parametrize("device", ["foo", "cuda:x", "", [1]])
def test_a_device_that_is_none_is_refused(device):
    with pytest.raises(InitlintError, match=r"^device .*: torch knows no such device; write cpu"):
        initlint.materialize(Net, device=device, scope="all")


ABSENT = f"cuda:{torch.cuda.device_count()}"


@pytest.mark.parametrize("device", [ABSENT, torch.device(ABSENT)])
def test_a_device_that_is_not_here_is_refused(device):
    with pytest.raises(InitlintError, match=r"^device cuda.*: cannot be used here: .*$") as error:
        initlint.materialize(Net, device=device, scope="all")
    assert "\n" not in str(error.value)


def test_what_builds_no_model_is_refused():
    with pytest.raises(InitlintError, match=r"materialize takes a class, .* not NoneType"):
        initlint.materialize(None, scope="all")


PARTS = {
    "one row": (lambda data: data[0].zero_(), False),
    "rows by an index": (lambda data: data.__setitem__([0, 1], 1.0), False),
    "the diagonal": (lambda data: data.diagonal().fill_(1.0), False),
    "both halves": (lambda data: (data[:2].zero_(), data[2:].fill_(1.0)), True),
    "every row": (lambda data: [nn.init.normal_(row) for row in data], True),
    "another view": (lambda data: data.view(-1).copy_(torch.arange(16.0)), True),
}


@pytest.mark.parametrize(("write", "is_whole"), PARTS.values(), ids=PARTS)
def test_memory_that_is_written_in_parts(write, is_whole):
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.empty(4, 4))
            write(self.table.data)

        def forward(self, x):
            return x + self.table.sum()

    if is_whole:
        assert initlint.materialize(Part).table.isfinite().all()
    else:
        with pytest.raises(InitlintError, match=r"cannot be filled \(table\)"):
            initlint.materialize(Part)


COMPUTED = {
    "log": ("torch.log(torch.empty(3))", False),
    "stacked": ("torch.stack([torch.empty(3), torch.empty(3)])", False),
    "scaled in place": ("torch.empty(3).mul_(0.1)", False),
    "a triangle": ("torch.empty(3, 3).tril_()", False),
    "log of numbers": ("torch.log(torch.arange(1.0, 4.0))", True),
    "log of a draw": ("torch.log(torch.empty(3).uniform_(1, 2))", True),
    "drawn and scaled": ("torch.empty(3).normal_().mul_(0.1)", True),
    "a triangle of ones": ("torch.ones(3, 3).tril_()", True),
    "triangles of a draw": ("torch.empty(3, 3).tril_().normal_()", True),
    "one row after the other": ("functools.reduce(torch.add, [torch.ones(3)] * 3000)", True),
}


@pytest.mark.parametrize(("made", "is_written"), COMPUTED.values(), ids=COMPUTED)
def test_what_is_computed_from_memory_that_nothing_wrote(made, is_written):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(eval(made, {"torch": torch, "functools": functools}))

        def forward(self, x):
            return x * self.scale.sum()

    if is_written:
        assert not torch.isnan(initlint.materialize(Net, seed=0).scale).any()
    else:
        with pytest.raises(InitlintError, match="scale"):
            initlint.materialize(Net, seed=0)
