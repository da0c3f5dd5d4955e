"""orthogonal and calibrated: what they promise of weights, of signals, and of the model."""

import math

import pytest
import torch
from torch import nn

import initlint
from initlint.project.inputspec import InputSpec
from initlint.records import InitlintError


def deep(activation, depth=20, width=64, bias=True):
    layers = [m for _ in range(depth) for m in (nn.Linear(width, width, bias), activation())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def signals(model, x):
    """What every linear layer and convolution gives for x."""
    found = []
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d))]
    hooks = [m.register_forward_hook(lambda m, args, out: found.append(out)) for m in layers]
    model(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("layer", [nn.Linear(48, 96), nn.Linear(96, 48)], ids=["tall", "wide"])
def test_orthogonal_matrices_have_the_recommended_std(layer):
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(layer.out_features, 3))
    report = initlint.apply_(model, seed=0, policy="orthogonal", scope="all")
    weight = layer.weight.detach()
    square = weight @ weight.T if len(weight) < 96 else weight.T @ weight
    assert torch.allclose(square, square[0, 0] * torch.eye(48), atol=1e-5)
    expected = math.sqrt(2 / layer.in_features)
    assert weight.square().mean().sqrt().item() == pytest.approx(expected, rel=1e-5)
    assert report.layers[0].recommended.std == pytest.approx(expected)
    assert report.layers[0].current.std == pytest.approx(expected, rel=0.02)


def test_groups_and_packed_projections_are_orthogonal_each():
    model = nn.Sequential(nn.Conv2d(8, 16, 1, groups=2), nn.ReLU(), nn.Conv2d(16, 4, 1))
    initlint.apply_(model, seed=0, policy="orthogonal", scope="all")
    for part in model[0].weight.detach().view(2, 8, 4):
        square = part.T @ part
        assert torch.allclose(square, square[0, 0] * torch.eye(4), atol=1e-5)


@pytest.mark.parametrize(
    "activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.GELU], ids=lambda a: a.__name__
)
def test_every_pre_activation_has_variance_one_across_examples(activation):
    torch.manual_seed(0)
    model = deep(activation)
    initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    *hidden, last = signals(model, torch.randn(512, 64))
    for signal in hidden:
        assert signal.std(0).square().mean().sqrt().item() == pytest.approx(1, rel=0.15)
    assert last.std().item() == pytest.approx(0.3, rel=0.3)


def gradient_ratio(model):
    """The gradient's norm at the first layer's result over that at the last hidden one's."""
    torch.manual_seed(1)
    found = signals(model, torch.randn(1024, 64))
    signs = torch.randint(0, 2, found[-1].shape) * 2 - 1
    gradients = torch.autograd.grad((found[-1] * signs).sum(), found[:-1])
    return (gradients[0].norm() / gradients[-1].norm()).item()


def test_gradients_are_brought_into_range():
    shares = {}
    for policy in ("orthogonal", "calibrated"):
        model = deep(nn.ReLU, depth=40)
        initlint.apply_(model, seed=0, policy=policy, scope="all")
        signal = signals(model, torch.randn(256, 64))[-2]
        shares[policy] = ((signal - signal.mean(0)).square().mean() / signal.square().mean()).item()
    assert 0.1 < gradient_ratio(model) < 6
    assert shares["calibrated"] > 2 * shares["orthogonal"]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.SiLU], ids=lambda a: a.__name__)
def test_units_are_made_no_more_linear_than_gradients_need(activation):
    model = deep(activation, depth=24)
    initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert gradient_ratio(model) == pytest.approx(3, rel=0.12)
    means = [signal.mean().item() for signal in signals(model, torch.randn(1024, 64))[:-1]]
    assert means == pytest.approx([means[0]] * len(means), abs=0.1) and 0.1 < means[0] < 1.5


def test_without_biases_the_mean_leaves_by_the_weights():
    model = deep(nn.Sigmoid, bias=False)
    initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    hidden = signals(model, torch.randn(512, 64))[5]
    assert hidden.mean(0).abs().max() < 0.5 and hidden.std().item() == pytest.approx(1, rel=0.2)


def test_residual_branches_start_near_the_identity():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x):
            return x + self.b(self.a(x).relu())

    model = nn.Sequential(nn.Linear(64, 64), *[Block() for _ in range(16)], nn.ReLU())
    initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    found = signals(model, torch.randn(512, 64))
    branch = found[2::2]
    assert all(out.var().item() == pytest.approx(1 / 16, rel=0.4) for out in branch)


def test_zero_padding_is_accounted_for():
    layers = [m for _ in range(20) for m in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())]
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), *layers)
    inputs = torch.randn(64, 1, 8, 8)
    initlint.apply_(model, inputs, seed=0, policy="calibrated", scope="all")
    for signal in signals(model, inputs):
        centred = signal - signal.mean((0, 2, 3), keepdim=True)
        assert centred.square().mean().sqrt().item() == pytest.approx(1, rel=0.05)


def test_given_inputs_are_the_probes():
    torch.manual_seed(0)
    inputs = 100 + 5 * torch.randn(256, 64)
    model = deep(nn.ReLU, depth=3)
    initlint.apply_(model, inputs, seed=0, policy="calibrated", scope="all")
    assert signals(model, inputs)[0].std(0).mean().item() == pytest.approx(1, rel=0.1)


def test_inputs_in_a_dict_are_the_probes_too():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = deep(nn.ReLU, depth=3)

        def forward(self, batch):
            return self.body(batch["x"])

    torch.manual_seed(0)
    batch = {"x": 100 + 5 * torch.randn(256, 64)}
    model = Named()
    initlint.apply_(model, batch, seed=0, policy="calibrated", scope="all")
    assert signals(model, batch)[0].std(0).mean().item() == pytest.approx(1, rel=0.1)


def test_a_described_input_is_noise_of_that_shape():
    class Flexible(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv1d(1, 8, 3), nn.Conv1d(8, 2, 3)

        def forward(self, x):
            if x.shape[-1] < 20:
                raise ValueError("too short")
            return self.b(self.a(x).relu())

    model = Flexible()
    initlint.apply_(
        model, InputSpec(None, "float32", (1, 1, 40)), seed=0, policy="calibrated", scope="all"
    )
    assert signals(model, torch.randn(99, 1, 40))[0].std().item() == pytest.approx(1, rel=0.1)


def test_models_of_tokens_and_of_batch_norm_stay_otherwise_as_they_were():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(30, 16)
            self.fc = nn.Linear(16, 32)
            self.norm = nn.BatchNorm1d(32)
            self.drop = nn.Dropout()
            self.out = nn.Linear(32, 4)

        def forward(self, input_ids):
            x = self.fc(self.embed(input_ids).mean(1)).relu()
            return self.out(self.drop(self.norm(x)))

    model = Net().train()
    model.norm.eval()
    table = model.embed.weight.clone()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    report = initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert torch.get_rng_state().equal(state)
    assert model.norm.running_mean.equal(torch.zeros(32)) and not model.norm.training
    assert model.training and model.drop.training and model.embed.weight.equal(table)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert {gap.target for gap in report.unanalysed} == {"embed.weight"}


class Remembering(nn.Module):
    """A recurrence of relu that begins as the identity (Le 2015), with inputs of some std."""

    def __init__(self, std):
        super().__init__()
        self.x, self.h = nn.Linear(8, 48), nn.Linear(48, 48, bias=False)
        self.inner, self.out = nn.Linear(48, 48), nn.Linear(48, 10)
        nn.init.normal_(self.x.weight, std=std)
        nn.init.zeros_(self.x.bias)
        nn.init.eye_(self.h.weight)

    def forward(self, x):
        h = torch.relu(self.x(x[:, 0]))
        for time in range(1, x.shape[1]):
            h = torch.relu(self.x(x[:, time]) + self.h(h))
        return self.out(torch.relu(self.inner(h)))


@pytest.mark.parametrize(("std", "is_quiet"), [(0.001, True), (0.3, False)])
def test_behind_what_somebody_set_a_result_that_is_far_off_stays(std, is_quiet):
    found = {}
    for policy in ("orthogonal", "calibrated"):
        torch.manual_seed(0)
        model, data = Remembering(std), torch.randn(512, 5, 8)
        initlint.apply_(model, data, seed=0, scope="recommended", policy=policy)
        found[policy] = model.out.weight.std().item()
        result = model(data).std().item()
    assert (found["calibrated"] == found["orthogonal"]) == is_quiet
    assert (result < 0.05) if is_quiet else (result == pytest.approx(0.3, rel=0.2))


def test_under_the_scope_all_nothing_is_kept_for_being_set():
    torch.manual_seed(0)
    model, data = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4)), torch.randn(512, 8)
    nn.init.normal_(model[0].weight, std=0.001)
    initlint.apply_(model, data, seed=0, scope="all", policy="calibrated")
    assert model[0](data).std().item() == pytest.approx(1, rel=0.1)
    assert model(data).std().item() == pytest.approx(0.3, rel=0.1)


def test_calibration_is_the_same_for_the_same_seed():
    models = [deep(nn.Tanh, depth=4) for _ in range(2)]
    for model in models:
        initlint.apply_(model, seed=7, policy="calibrated", scope="all")
    assert all(map(torch.equal, models[0].parameters(), models[1].parameters()))


def test_a_run_that_fails_changes_nothing():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            x = self.a(x).relu()
            if not x.is_meta and len(x) != 2:
                raise ValueError("two at a time")
            return self.b(x)

    model = Picky()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InitlintError, match="ValueError: two at a time; nothing was changed"):
        initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_an_unknown_policy_is_named():
    with pytest.raises(InitlintError, match=r"policy='lsuv'.*following, orthogonal, calibrated"):
        initlint.apply_(deep(nn.ReLU), policy="lsuv", scope="all")


def test_layers_that_are_normalised_keep_pytorchs_scale():
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 3))
    initlint.apply_(model, seed=0, policy="calibrated", scope="all")
    assert model[0].weight.std().item() == pytest.approx(1 / math.sqrt(3 * 64), rel=0.02)
    assert not model[0].bias.any()


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(2, 8))])
def test_scripted_parts_are_left_alone_and_keep_their_mode(make):
    """They are opaque: what is before them is not understood, what is behind them is filled."""
    scripted = make(nn.Sequential(nn.ReLU(), nn.Linear(8, 8), nn.ReLU()))
    model = nn.Sequential(nn.Linear(8, 8), scripted, nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    before = {name: value.detach().clone() for name, value in scripted.named_parameters()}
    report = initlint.apply_(model, torch.randn(4, 8), seed=0, policy="calibrated", scope="all")
    status = {one.parameter: one.status for one in report.outcomes}
    assert status["2.weight"] == "filled" and status["0.weight"] == "unknown"
    assert all(module.training for module in model.modules())
    assert all(value.equal(before[name]) for name, value in scripted.named_parameters())


def test_a_model_of_which_nothing_is_filled_is_not_run():
    class Once(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x):
            if not x.is_meta:
                self.a.weight.data.mul_(2)
            return self.b(torch.relu(self.a(x)))

    model = Once()
    before = model.a.weight.detach().clone()
    report = initlint.apply_(model, torch.randn(4, 8), seed=0, policy="calibrated")
    assert model.a.weight.equal(before) and "Nothing to fill" in str(report)


class Asked(nn.Module):
    """Answers every name, as wrappers do that hand questions on."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return lambda *args: None

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


@pytest.mark.parametrize("policy", ["following", "orthogonal"])
def test_a_model_that_answers_every_name_is_filled(policy):
    report = initlint.apply_(Asked(), torch.randn(4, 8), seed=0, policy=policy, scope="all")
    assert sum(one.status == "filled" for one in report.outcomes) == 6


def test_numbers_of_eight_bits_are_calibrated():
    class Eight(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(16, 16).to(torch.float8_e4m3fn))
            self.o = nn.Linear(16, 2)

        def forward(self, x):
            return self.o(torch.relu(x @ self.w.float()))

    model = Eight()
    report = initlint.apply_(model, torch.randn(4, 16), seed=0, policy="calibrated", scope="all")
    assert {one.parameter for one in report.outcomes if one.status == "filled"} >= {"o.weight"}
