"""What apply_ keeps because somebody meant it, or because a gain would do harm: and says so."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

POLICIES = ("following", "orthogonal", "calibrated")


def kept(report):
    return {gap.target: gap.reason for gap in report.unanalysed}


class Head(nn.Module):
    """A hidden layer and a head whose bias is set."""

    def __init__(self, bias=0.5, outputs=9, dtype=torch.float32):
        super().__init__()
        self.body = nn.Linear(16, 16)
        self.head = nn.Linear(16, outputs)
        nn.init.constant_(self.head.bias, bias)
        self.to(dtype)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("value", [-math.log(99), -2.0, 1.0, 0.01, 1e-3, 20.0])
def test_a_constant_bias_is_kept_and_listed(value, policy):
    model = Head(value)
    before = model.head.bias.detach().clone()
    report = initlint.apply_(model, seed=0, policy=policy, scope="all")
    assert torch.equal(model.head.bias, before)
    assert kept(report) == {"head.bias": f"it is a constant, {value:.4g}, that was set"}
    assert model.body.bias.any() == (policy == "calibrated")
    made = initlint.materialize(lambda: Head(value), seed=0, policy=policy, scope="all")
    assert all(map(torch.equal, made.parameters(), model.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_make_no_difference(dtype):
    model = Head(-2.0, dtype=dtype)
    initlint.apply_(model, seed=0, scope="all")
    assert (model.head.bias == -2).all() and not model.body.bias.any()


@pytest.mark.parametrize(
    ("value", "stays"), [(-4.6, True), (0.3, True), (0.2, False), (-0.1, False), (0.0, False)]
)
def test_the_bias_of_a_single_unit_was_set_if_no_default_draw_is_as_large(value, stays):
    model = Head(value, outputs=1)
    report = initlint.apply_(model, seed=0, scope="all")
    assert bool(model.head.bias) == stays and ("head.bias" in kept(report)) == stays


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", ["copied", "drawn"])
def test_a_bias_that_is_beyond_every_default_draw_was_set(way, policy):
    class Steps(Head):
        def __init__(self):
            super().__init__()
            if way == "drawn":
                nn.init.uniform_(self.head.bias, -7, -3)
            else:
                self.head.bias.data.copy_(torch.rand(9).add(1).log().neg().sub(3))

    model = Steps()
    before = model.head.bias.detach().clone()
    report = initlint.apply_(model, seed=0, policy=policy, scope="all")
    assert torch.equal(model.head.bias, before) and "every element" in kept(report)["head.bias"]
    assert (initlint.materialize(Steps, seed=0, policy=policy, scope="all").head.bias < -2).all()


@pytest.mark.parametrize(
    "layer", [nn.Bilinear(4, 9, 5), nn.RNNCell(99, 6), nn.ConvTranspose1d(2, 9, 3)]
)
def test_bounds_are_those_of_the_kind_of_layer(layer):
    arguments = {nn.Bilinear: [(2, 4), (2, 9)], nn.RNNCell: [(2, 99)]}.get(type(layer), [(2, 2, 5)])

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, *inputs):
            return torch.tanh(self.layer(*inputs))

    for seed in range(10):
        torch.manual_seed(seed)
        layer.reset_parameters()
        initlint.apply_(Net(), *map(torch.randn, arguments), seed=0, scope="all")
        assert not getattr(layer, "bias_ih" if isinstance(layer, nn.RNNCell) else "bias").any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 64, 1000])
def test_default_draws_become_zero(width, dtype):
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4)).to(dtype)
        assert not initlint.apply_(model, seed=0, scope="all").unanalysed
        assert not model[0].bias.any() and not model[2].bias.any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30, 1e-40])
def test_memory_that_was_never_written_is_no_constant(bad):
    model = Head(bad)
    report = initlint.apply_(model, seed=0, scope="all")
    assert not model.head.bias.any() and not kept(report)


@pytest.mark.parametrize("rest", ["drawn", "zero"])
def test_the_forget_gates_of_a_cell_written_by_hand(rest):
    class Gates(nn.Module):
        def __init__(self):
            super().__init__()
            self.gates, self.out = nn.Linear(8, 32), nn.Linear(32, 2)
            if rest == "zero":
                nn.init.zeros_(self.gates.bias)
            self.gates.bias.data[8:16] = 1

        def forward(self, x):
            return self.out(torch.tanh(self.gates(x)))

    for make in (
        lambda: _applied(Gates()),
        lambda: initlint.materialize(Gates, seed=0, scope="all"),
    ):
        bias = make().gates.bias
        assert (bias[8:16] == 1).all() and bool(bias[:8].any()) == (rest == "drawn")


def _applied(model):
    initlint.apply_(model, seed=0, scope="all")
    return model


def test_only_and_skip_leave_constants_unlisted_that_nobody_asked_for():
    model = Head()
    assert not initlint.apply_(model, seed=0, only="body", scope="all").unanalysed
    assert not initlint.apply_(model, seed=0, skip="*.bias", scope="all").unanalysed
    assert set(kept(initlint.apply_(model, seed=0, only="head.bias", scope="all"))) == {"head.bias"}


class Loop(nn.Module):
    """A recurrence by hand; `way` is how the weight is used."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.x, self.h, self.out = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.w = nn.Parameter(torch.eye(8))

    def forward(self, x):
        h = torch.zeros(x.shape[0], 8)
        for step in range(3):
            if self.way == "module":
                h = torch.tanh(self.x(x[:, step]) + self.h(h))
            elif self.way == "matmul":
                h = torch.relu(self.x(x[:, step]) + h @ self.w)
            elif self.way == "functional":
                h = torch.relu(self.x(x[:, step]) + F.linear(h, self.w))
            else:
                h = torch.tanh(self.h(torch.relu(self.x(x[:, step]) + h)))
        return self.out(h)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", ["module", "matmul", "functional", "after"])
def test_a_weight_that_is_used_again_on_its_own_result_stays(way, policy):
    model = Loop(way)
    name = "w" if way in ("matmul", "functional") else "h.weight"
    before = model.get_parameter(name).detach().clone()
    report = initlint.apply_(model, torch.randn(5, 3, 4), seed=0, policy=policy, scope="all")
    assert torch.equal(model.get_parameter(name), before)
    assert "recurrent" in kept(report)[name]
    assert not torch.equal(model.out.weight, Loop(way).out.weight)


def test_a_layer_used_twice_side_by_side_is_no_recurrence():
    class Siamese(nn.Module):
        def __init__(self):
            super().__init__()
            self.arm, self.out = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.out(torch.relu(self.arm(x)) - torch.relu(self.arm(-x)))

    assert not initlint.apply_(Siamese(), seed=0, scope="all").unanalysed


class Scaled(nn.Module):
    """Residual blocks whose branch is a product with a parameter that is `alpha`."""

    def __init__(self, way, alpha=0.0):
        super().__init__()
        self.way = way
        self.inner, self.last = nn.Linear(8, 8), nn.Linear(8, 8)
        size = (8,) if way == "per channel" else (1,)
        self.alpha = nn.Parameter(torch.full(size, alpha))
        self.out = nn.Linear(8, 3)

    def branch(self, x):
        y = torch.relu(self.inner(self.alpha * x if self.way == "before the first" else x))
        if self.way == "before the first":
            return self.last(y)
        if self.way == "before the last":
            return self.last(self.alpha * y)
        y = self.last(y)
        if "addcmul" in self.way:
            return y
        if self.way == "tanh":
            return torch.tanh(self.alpha) * y
        if self.way == "einsum":
            return torch.einsum("c,bc->bc", self.alpha.expand(8), y)
        return y * self.alpha.view(1, -1) if self.way == "viewed" else self.alpha * y

    def forward(self, x):
        if self.way == "addcmul":
            return self.out(torch.addcmul(x, self.alpha, self.branch(x)))
        if self.way == "addcmul, expanded":
            return self.out(torch.addcmul(x, self.alpha.expand_as(x), self.branch(x)))
        return self.out(x + self.branch(x))


WAYS = (
    *("one number", "per channel", "viewed", "tanh", "before the first", "before the last"),
    *("addcmul", "addcmul, expanded", "einsum"),
)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fill", ["apply_", "materialize"])
def test_a_branch_that_is_a_product_with_zero_can_train(fill, way, policy):
    if fill == "apply_":
        model = Scaled(way)
        initlint.apply_(model, seed=0, policy=policy, scope="all")
    else:
        model = initlint.materialize(lambda: Scaled(way), seed=0, policy=policy, scope="all")
    assert not model.alpha.any() and model.last.weight.any()
    model(torch.randn(16, 8)).square().sum().backward()
    assert model.alpha.grad.abs().max() > 0


@pytest.mark.parametrize("way", ["one number", "per channel", "tanh"])
def test_the_last_layer_is_zero_where_the_scale_is_not(way):
    model = Scaled(way, alpha=0.5)
    initlint.apply_(model, seed=0, scope="all")
    assert not model.last.weight.any()


# Factors that are zero, computed from a parameter in other ways, and the number that it holds.
COMPUTED = {
    "expm1": (0.0, torch.expm1),
    "sin": (0.0, torch.sin),
    "power": (0.0, lambda g: g**3),
    "clamped": (0.0, lambda g: g.clamp(-1, 1)),
    "chosen": (0.0, lambda g: torch.where(torch.ones(1, dtype=torch.bool), g, torch.ones(1))),
    "less a half": (0.0, lambda g: torch.sigmoid(g) - 0.5),
    "one less": (1.0, lambda g: 1 - g),
    "one more": (-1.0, lambda g: g + 1),
    "one less its cosine": (0.0, lambda g: 1 - torch.cos(g)),
    "beside another": (0.0, lambda g: torch.stack([g, g])[0]),
}


class Gated(nn.Module):
    """Residual blocks whose branch is multiplied with what `factor` makes of a parameter."""

    def __init__(self, factor, value, join=None):
        super().__init__()
        self.inner, self.last, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.gate, self.other = nn.Parameter(torch.tensor(value)), nn.Parameter(torch.tensor(1.0))
        self.factor, self.join = factor, join

    def forward(self, x):
        y = self.last(torch.relu(self.inner(x)))
        if self.join is not None:
            return self.out(x + self.join(y, self.gate, self.other))
        return self.out(x + self.factor(self.gate) * y)


JOINED = {
    "two parameters": lambda y, g, u: (u * g) * y,
    "a quotient": lambda y, g, u: y * (g / u),
    "a difference": lambda y, g, u: (u - g - 1) * y,
    "a diagonal": lambda y, g, u: y @ torch.diag(g.expand(8)),
    "a matrix": lambda y, g, u: y @ (g * torch.eye(8)),
    "linear": lambda y, g, u: torch.nn.functional.linear(y, torch.diag(g.expand(8))),
    "in place": lambda y, g, u: y.mul_(g),
    "lerp": lambda y, g, u: torch.lerp(torch.zeros_like(y), y, g),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("way", [*COMPUTED, *JOINED])
def test_a_branch_whose_factor_is_computed_can_train(way, scope, policy):
    value, factor = COMPUTED.get(way, (0.0, None))
    model = Gated(factor, value, JOINED.get(way))
    initlint.apply_(model, seed=0, policy=policy, scope=scope)
    assert model.last.weight.any() and model.inner.weight.any()


@pytest.mark.parametrize(
    ("factor", "value"), [(torch.exp, 0.0), (torch.sigmoid, -2.0), (lambda g: 1 + g, 0.0)]
)
def test_factors_that_cannot_be_zero_let_the_last_layer_be(factor, value):
    model = Gated(factor, value)
    initlint.apply_(model, seed=0, scope="all")
    assert not model.last.weight.any()


def test_a_bias_of_zero_is_no_factor():
    class Fixup(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.last = nn.Linear(8, 8), nn.Linear(8, 8)
            self.shift, self.scale = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))
            self.gate = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            y = self.last(torch.relu(self.inner(x + self.shift)) + self.shift) * self.scale
            return torch.relu(x + y * (1 + self.gate))

    model = Fixup()
    initlint.apply_(model, seed=0, scope="all")
    assert not model.last.weight.any() and model.inner.weight.any()


@pytest.mark.parametrize("options", [{"skip": "inner"}, {"only": "last"}])
def test_a_last_layer_does_not_become_zero_beside_a_weight_that_stays_zero(options):
    model = Scaled("one number", alpha=1.0)
    nn.init.zeros_(model.inner.weight)
    before = model.last.weight.detach().clone()
    report = initlint.apply_(model, seed=0, **options, scope="all")
    assert torch.equal(model.last.weight, before)
    assert "inner.weight" in kept(report)["last.weight"]
    initlint.apply_(model, seed=0, scope="all")
    assert model.inner.weight.any() and not model.last.weight.any()


class Experts(nn.Module):
    def __init__(self, count, width, hidden):
        super().__init__()
        self.up = nn.Parameter(torch.randn(count, width, hidden))
        self.down = nn.Parameter(torch.randn(count, hidden, width))

    def forward(self, x):
        hidden = torch.relu(torch.einsum("bd,edf->bef", x, self.up))
        return torch.einsum("bef,efd->bed", hidden, self.down).sum(1)


@pytest.mark.parametrize("policy", ["orthogonal", "calibrated"])
@pytest.mark.parametrize("sizes", [(4, 16, 24), (5, 24, 16), (3, 8, 8), (8, 8, 8), (1, 7, 9)])
def test_every_expert_of_a_stack_is_orthogonal(sizes, policy):
    model = Experts(*sizes)
    initlint.apply_(model, torch.randn(32, sizes[1]), seed=0, policy=policy, scope="all")
    for stack in (model.up, model.down):
        for matrix in stack.detach():
            wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            square = wide @ wide.T
            assert torch.allclose(square, square[0, 0] * torch.eye(len(wide)), atol=1e-4)


@pytest.mark.parametrize("policy", ["orthogonal", "calibrated"])
@pytest.mark.parametrize(("std", "is_found"), [(0.001, True), (0.25, False), (10.0, True)])
def test_by_default_experts_without_a_finding_keep_their_std(policy, std, is_found):
    model = Experts(4, 32, 32)
    nn.init.normal_(model.up, std=std)
    before = model.up.detach().clone()
    report = initlint.apply_(model, torch.randn(32, 32), seed=0, policy=policy)
    if policy == "calibrated" and not is_found:
        assert "up" in kept(report) and model.up.equal(before)
        return
    for matrix in model.up.detach():
        square = matrix @ matrix.T
        assert torch.allclose(square, square[0, 0] * torch.eye(32), atol=1e-4)
    expected = before.square().mean().sqrt().item()
    assert (model.up.square().mean().sqrt().item() == pytest.approx(expected, rel=1e-4)) != is_found


def test_projections_of_heads_in_one_tensor_are_orthogonal_together():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.q = nn.Parameter(torch.randn(16, 4, 6))

        def forward(self, x):
            return torch.relu(torch.einsum("bd,dhk->bhk", x, self.q))

    model = Heads()
    initlint.apply_(model, seed=0, policy="orthogonal", scope="all")
    rows = model.q.detach().view(16, 24)
    square = rows @ rows.T
    assert torch.allclose(square, square[0, 0] * torch.eye(16), atol=1e-5)


def test_a_stack_that_is_no_row_of_matrices_is_drawn_normal_and_says_so():
    class Middle(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(6, 5, 7))

        def forward(self, x):
            return torch.relu(torch.einsum("bed,def->bef", x, self.w))

    model = Middle()
    report = initlint.apply_(model, torch.randn(2, 5, 6), seed=0, policy="orthogonal", scope="all")
    layer = report.layers[0]
    assert layer.current.name != "orthogonal_"
    assert model.w.std().item() == pytest.approx(layer.recommended.std, rel=0.2)
