"""policy="orthogonal": draws whose std the scope keeps get its form; everything else stays."""

import pytest
import torch
from torch import nn

import initlint

WIDTH = 48


def net(*layers):
    return nn.Sequential(*layers)


def mlp(bias=True):
    return net(
        *(nn.Linear(16, WIDTH, bias), nn.LayerNorm(WIDTH), nn.ReLU()),
        *(nn.Linear(WIDTH, WIDTH, bias), nn.LayerNorm(WIDTH), nn.ReLU()),
        nn.Linear(WIDTH, 10, bias),
    )


def is_orthogonal(weight):
    flat = weight.detach().reshape(len(weight), -1)
    flat = flat if flat.shape[0] <= flat.shape[1] else flat.T
    square = flat @ flat.T
    return torch.allclose(square, square[0, 0] * torch.eye(len(square)), atol=1e-4)


def size(weight):
    return weight.detach().square().mean().sqrt().item()


def drawn(draw):
    model = mlp()
    for layer in model[::3]:
        draw(layer.weight)
    return model


DRAWS = {
    "default": lambda weight: None,
    "normal": lambda weight: nn.init.normal_(weight, std=0.02),
    "uniform": lambda weight: nn.init.uniform_(weight, -0.1, 0.1),
    "truncated": lambda weight: nn.init.trunc_normal_(weight, std=0.02, a=-0.03, b=0.03),
    "kaiming": nn.init.kaiming_normal_,
}


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_without_a_finding_keeps_its_std(draw):
    model = drawn(DRAWS[draw])
    before = [size(layer.weight) for layer in model[::3]]
    biases = [layer.bias.clone() for layer in model[::3]]
    report = initlint.apply_(model, seed=0, policy="orthogonal")
    for layer, old, bias in zip(model[::3], before, biases, strict=True):
        assert is_orthogonal(layer.weight) and layer.bias.equal(bias)
        assert size(layer.weight) == pytest.approx(old, rel=0.05)
    reasons = {one.reason for one in report.outcomes if one.status == "filled"}
    assert reasons == {"orthogonal with the std that it had, which is kept"}


@pytest.mark.parametrize("draw", DRAWS)
def test_materialize_does_the_same(draw):
    model = initlint.materialize(lambda: drawn(DRAWS[draw]), seed=0, policy="orthogonal")
    other = drawn(DRAWS[draw])
    for layer, ordinary in zip(model[::3], other[::3], strict=True):
        assert is_orthogonal(layer.weight)
        assert size(layer.weight) == pytest.approx(size(ordinary.weight), rel=0.12)


def low_rank(weight):
    weight.copy_(torch.randn(len(weight), 1) @ torch.randn(1, weight[0].numel()) * 0.02)


MEANT = {
    "zeros": nn.init.zeros_,
    "ones": nn.init.ones_,
    "identity": nn.init.eye_,
    "low rank": low_rank,
    "sparse": lambda weight: nn.init.sparse_(weight, 0.5, std=0.02),
    "shifted": lambda weight: nn.init.normal_(weight, 0.02, 0.02),
    "heavy tails": lambda weight: weight.copy_(torch.randn_like(weight) ** 3 * 0.02),
    "ordered": lambda weight: weight.copy_(torch.randn_like(weight).sort().values * 0.02),
    "two sizes": lambda weight: weight.normal_(std=0.02)[: len(weight) // 8].mul_(6),
}


@pytest.mark.parametrize("kind", MEANT)
def test_what_is_no_plain_draw_stays(kind):
    torch.manual_seed(0)
    model = mlp()
    with torch.no_grad():
        MEANT[kind](model[3].weight)
    before = model[3].weight.detach().clone()
    initlint.apply_(model, seed=0, policy="orthogonal")
    assert model[3].weight.equal(before) and is_orthogonal(model[0].weight)


def trained(model, steps, optimizer):
    torch.manual_seed(1)
    step = optimizer(model.parameters())
    for _ in range(steps):
        x = torch.randn(64, 16)
        step.zero_grad()
        nn.functional.cross_entropy(model(x), x[:, :10].argmax(1)).backward()
        step.step()
    return model


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.01),
    "adam": lambda parameters: torch.optim.Adam(parameters, 1e-4),
}


@pytest.mark.parametrize("steps", [2, 20])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_model_that_has_learned_keeps_what_is_not_the_default(name, bias, steps):
    model = mlp(bias)
    for layer in model[::3]:
        nn.init.normal_(layer.weight, std=0.05)
    trained(model, steps, OPTIMIZERS[name])
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    report = initlint.apply_(model, seed=0, policy="orthogonal")
    assert all(value.equal(before[name]) for name, value in model.named_parameters())
    assert str(report).startswith("Nothing to fill")


def test_running_means_show_that_a_model_has_learned():
    model = net(nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    nn.init.kaiming_normal_(model[0].weight)
    model(torch.randn(4, 3, 8, 8))
    before = model[0].weight.detach().clone()
    initlint.apply_(model, torch.randn(4, 3, 8, 8), seed=0, policy="orthogonal")
    assert model[0].weight.equal(before)


def test_a_second_run_keeps_the_form_and_the_size():
    model = mlp()
    initlint.apply_(model, seed=0, policy="orthogonal")
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    initlint.apply_(model, seed=0, policy="orthogonal")
    for name, value in model.named_parameters():
        assert torch.allclose(value, before[name], atol=1e-4)


def test_other_policies_leave_such_draws():
    for policy in ("following", "calibrated"):
        model = drawn(DRAWS["normal"])
        before = model[3].weight.detach().clone()
        initlint.apply_(model, seed=0, policy=policy)
        assert model[3].weight.equal(before)


def test_only_and_skip_hold_for_it():
    model = mlp()
    before = model[0].weight.detach().clone()
    initlint.apply_(model, seed=0, policy="orthogonal", only="3")
    assert model[0].weight.equal(before) and is_orthogonal(model[3].weight)


class Biased(nn.Module):
    """Somebody draws a bias: values alone do not tell it from one that has learned."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)
        for layer in (self.a, self.b, self.c):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.normal_(self.c.bias, std=0.1)

    def forward(self, x):
        x = torch.relu(self.b(torch.relu(self.a(x))))
        return x if self.c is None else self.c(x)


def test_materialize_and_stages_see_a_drawn_bias_as_apply_does():
    x = torch.randn(2, 16)
    made = initlint.materialize(Biased, seed=0, policy="orthogonal")
    model, stage = Biased(), Biased()
    stage.c = None
    initlint.apply_(model, x, seed=0, policy="orthogonal")
    initlint.apply_(stage, x, seed=0, policy="orthogonal", whole=Biased)
    for found in (made, model, stage):
        assert not is_orthogonal(found.b.weight)
