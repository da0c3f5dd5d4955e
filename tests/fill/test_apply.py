"""apply_: weights by recommendation, biases zero, everything else as it was."""

import math

import pytest
import torch
from torch import nn

import initlint
from initlint.records import InitlintError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 64)
        self.fc1 = nn.Linear(64, 256)
        self.norm = nn.LayerNorm(256)
        self.fc2 = nn.Linear(256, 256)
        self.fc3 = nn.Linear(256, 10)
        self.unused = nn.Linear(3, 3)

    def forward(self, tokens):
        x = self.norm(self.fc1(self.embed(tokens)).tanh())
        return self.fc3(nn.functional.leaky_relu(self.fc2(x), 0.2))


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(before, model):
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}


def test_weights_get_the_recommended_std_and_biases_zero():
    model = Net()
    report = initlint.apply_(model, seed=1, scope="all")
    for layer in report.layers:
        if layer.parameter in ("fc1.weight", "fc2.weight", "fc3.weight"):
            weight = model.get_parameter(layer.parameter)
            assert weight.std().item() == pytest.approx(layer.recommended.std, rel=0.05)
            assert layer.current.std == pytest.approx(layer.recommended.std, rel=0.05)
            assert layer.current.name == layer.recommended.name
    assert model.fc2.weight.std().item() == pytest.approx(
        math.sqrt(2 / (1 + 0.2**2) / 256), rel=0.02
    )
    assert not model.fc1.bias.any() and not model.fc3.bias.any()


def test_only_what_is_recommended_changes_and_the_rest_is_listed():
    model = Net()
    before = state(model)
    report = initlint.apply_(model, seed=1, scope="all")
    assert changed(before, model) == {
        f"fc{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")
    }
    assert {gap.target for gap in report.unanalysed} == {"embed.weight", "unused.weight"}


def test_same_seed_same_weights():
    one, other, third = Net(), Net(), Net()
    initlint.apply_(one, seed=7, scope="all")
    initlint.apply_(other, seed=7, scope="all")
    initlint.apply_(third, seed=8, scope="all")
    assert one.fc1.weight.equal(other.fc1.weight)
    assert not one.fc1.weight.equal(third.fc1.weight)


def test_torchs_random_state_is_untouched_with_a_seed():
    model = Net()
    before = torch.get_rng_state()
    initlint.apply_(model, seed=7, scope="all")
    assert torch.get_rng_state().equal(before)


def test_without_a_seed_two_calls_differ_as_one_draw_moves_torchs_generator():
    one, other = Net(), Net()
    torch.manual_seed(3)
    initlint.apply_(one, scope="all")
    after = torch.get_rng_state()
    initlint.apply_(other, scope="all")
    assert not one.fc1.weight.equal(other.fc1.weight)
    torch.manual_seed(3)
    torch.randint(2**62, ())
    assert torch.get_rng_state().equal(after)


def test_without_a_seed_torchs_own_decides():
    models = [Net(), Net()]
    for model in models:
        torch.manual_seed(3)
        initlint.apply_(model, scope="all")
    assert models[0].fc1.weight.equal(models[1].fc1.weight)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"only": ["fc1"]}, {"fc1.weight", "fc1.bias"}),
        ({"only": ["fc[12].weight"]}, {"fc1.weight", "fc2.weight"}),
        ({"only": "fc1"}, {"fc1.weight", "fc1.bias"}),
        ({"only": ["fc1.bias"]}, {"fc1.bias"}),
        ({"only": ["*.weight"]}, {"fc1.weight", "fc2.weight", "fc3.weight"}),
        ({"skip": "*.bias"}, {"fc1.weight", "fc2.weight", "fc3.weight"}),
        ({"skip": ["fc*"]}, set()),
        ({"only": iter(["fc1", "fc3"]), "skip": ["fc3"]}, {"fc1.weight", "fc1.bias"}),
        ({"only": ["fc*"], "skip": ["fc3"]}, {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else None,
)
def test_only_and_skip_are_name_patterns(options, expected):
    model = Net()
    before = state(model)
    initlint.apply_(model, seed=1, **options, scope="all")
    assert changed(before, model) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": 3}, "only=3: write a string or a list of strings"),
        ({"skip": ["fc1", 3]}, "skip=['fc1', 3]: write a string or a list of strings"),
        ({"only": ["fc"]}, "only fc: no parameter or module has that name; did you mean fc3?"),
        ({"skip": "FC1.*"}, "skip FC1.*: no parameter or module has that name"),
    ],
    ids=["a number", "a number among strings", "no name", "a pattern of none"],
)
@pytest.mark.parametrize("fill", ["apply_", "materialize"])
def test_patterns_that_are_wrong_are_refused_and_nothing_is_changed(fill, options, words):
    model = Net()
    before = state(model)
    with pytest.raises(InitlintError) as error:
        getattr(initlint, fill)(model if fill == "apply_" else Net, **options, scope="all")
    assert str(error.value).startswith(words)
    assert changed(before, model) == set()


def test_a_tied_weight_goes_by_all_its_names_and_a_module_without_any_may_be_named():
    layers = [nn.Linear(8, 8, bias=False) for _ in range(2)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())
    model[2].weight = model[0].weight
    before = state(model)
    initlint.apply_(model, seed=1, skip=["1", "2.weight"], scope="all")
    assert changed(before, model) == set()
    initlint.apply_(model, seed=1, only="2", scope="all")
    assert changed(before, model) == {"0.weight", "2.weight"}


def test_every_layer_of_a_tied_weight_has_its_bias_set_to_zero():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    model[2].weight = model[0].weight
    initlint.apply_(model, seed=1, skip="0.bias", scope="all")
    assert model[0].bias.any() and not model[2].bias.any()
    nn.init.constant_(model[2].bias, -2.0)
    report = initlint.apply_(model, seed=1, scope="all")
    assert not model[0].bias.any() and (model[2].bias == -2).all()
    assert [gap.target for gap in report.unanalysed] == ["2.bias"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtype_and_storage_stay(dtype):
    model = Net().to(dtype)
    address = model.fc2.weight.data_ptr()
    initlint.apply_(model, seed=1, scope="all")
    assert model.fc2.weight.dtype is dtype and model.fc2.weight.data_ptr() == address
    assert model.fc2.weight.float().std().item() == pytest.approx(0.0867, rel=0.03)


def test_gradients_and_mode_stay():
    model = Net().eval()
    model(torch.zeros(1, 3, dtype=torch.long)).sum().backward()
    gradient = model.fc1.weight.grad.clone()
    initlint.apply_(model, seed=1, scope="all")
    assert model.fc1.weight.grad.equal(gradient) and model.fc1.weight.requires_grad
    assert not model.training


def test_last_layer_of_a_bare_residual_branch_starts_at_zero():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return x + self.b(self.a(x).relu())

    model = Block()
    initlint.apply_(model, seed=1, scope="all")
    assert model.a.weight.any() and not model.b.weight.any()


def test_reparametrised_weights_are_left_alone():
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)), nn.ReLU())
    before = state(model)
    report = initlint.apply_(model, seed=1, scope="all")
    assert changed(before, model) == set()
    assert "reparametrised" in report.unanalysed[0].reason


def test_meta_parameters_are_refused_by_name_and_nothing_is_changed():
    with torch.device("meta"):
        model = Net()
    with pytest.raises(InitlintError, match=r"fc1\.weight.*to_empty"):
        initlint.apply_(model, seed=1, scope="all")


def test_a_model_that_cannot_be_captured_is_left_as_it_was():
    class Broken(Net):
        def forward(self, x):
            return nn.sigmoid(self.fc1(x))

    model = Broken()
    before = state(model)
    with pytest.raises(InitlintError, match=r"no attribute 'sigmoid'.*torch\.sigmoid"):
        initlint.apply_(model, seed=1, scope="all")
    assert changed(before, model) == set()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Net, r"apply_ fills a model, and Net only builds one; write materialize\(Net\)"),
        (torch.jit.trace(nn.ReLU(), torch.ones(1)), "fill it before torch.jit.script"),
        (None, "apply_ fills a torch.nn.Module, not NoneType"),
        ("net.py", "not str"),
    ],
    ids=str,
)
def test_what_is_no_model_is_refused(given, words):
    with pytest.raises(InitlintError, match=words):
        initlint.apply_(given, seed=1, scope="all")
