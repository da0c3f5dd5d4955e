"""Recipes of whole architectures: residual streams, recurrences, siblings, tied and zero layers."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

POLICIES = ("following", "orthogonal", "calibrated")


class Block(nn.Module):
    def __init__(self, width=64, norm=nn.LayerNorm):
        super().__init__()
        self.norm = norm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


def stack(depth=24, width=64):
    blocks = [Block(width) for _ in range(depth)]
    return nn.Sequential(nn.Linear(width, width), *blocks, nn.LayerNorm(width), nn.Linear(width, 9))


def growth(model):
    """By how much the stream grows from the first block to the last."""
    x = model[0](torch.randn(512, 64))
    before = x.std()
    for block in model[1:-2]:
        x = block(x)
    return (x.std() / before).item()


@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("policy", ["following", "orthogonal"])
@pytest.mark.parametrize("depth", [6, 24])
def test_the_stream_of_a_pre_norm_stack_grows_by_one_variance(depth, policy, scope):
    model = stack(depth)
    report = initlint.apply_(model, seed=0, scope=scope, policy=policy)
    assert growth(model) < 2
    reasons = {one.parameter: one.reason for one in report.outcomes}
    assert f"1/sqrt({depth})" in reasons["3.down.weight"] and "Radford" in reasons["3.down.weight"]
    assert "sqrt" not in reasons["3.up.weight"].replace("1/sqrt(E", "") or "Radford" not in reasons
    std = model[3].down.weight.std().item()
    assert std == pytest.approx(math.sqrt(2 / 320 / depth), rel=0.03)


def test_without_the_recipe_it_would_grow_more():
    model = stack()
    initlint.apply_(model, seed=0, scope="all")
    for block in model[1:-2]:
        block.down.weight.data.mul_(math.sqrt(24))
    assert growth(model) > 4


class Mixture(nn.Module):
    """Experts whose shares sum to one, before they are added to the stream."""

    def __init__(self, width=32, count=4):
        super().__init__()
        self.norm, self.router = nn.LayerNorm(width), nn.Linear(width, count)
        self.up = nn.Parameter(torch.randn(count, width, 2 * width))
        self.down = nn.Parameter(torch.randn(count, 2 * width, width))

    def forward(self, x):
        y = self.norm(x)
        hidden = torch.relu(torch.einsum("bd,edf->bef", y, self.up))
        result = torch.einsum("bef,efd->bed", hidden, self.down)
        return x + (self.router(y).softmax(-1).unsqueeze(-1) * result).sum(1)


def test_experts_write_into_the_stream_too_and_have_fans_of_their_own():
    model = nn.Sequential(*(Mixture() for _ in range(9)), nn.LayerNorm(32), nn.Linear(32, 3))
    report = initlint.apply_(model, seed=0, scope="all")
    stds = {layer.parameter: layer.recommended.std for layer in report.layers}
    assert stds["4.up"] == pytest.approx(math.sqrt(2 / 32))
    assert stds["4.down"] == pytest.approx(math.sqrt(2 / (32 + 64)) / 3, rel=0.02)
    assert stds["4.router.weight"] == pytest.approx(math.sqrt(2 / 36))


def test_branches_that_are_normalised_before_they_are_added_need_no_recipe():
    class After(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(16)
            self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)

        def forward(self, x):
            return x + self.norm(self.down(F.gelu(self.up(x))))

    model = nn.Sequential(*(After() for _ in range(8)), nn.LayerNorm(16), nn.Linear(16, 3))
    report = initlint.apply_(model, seed=0, scope="all")
    assert not any("Radford" in one.reason for one in report.outcomes)


CELLS = {nn.RNN: 1, nn.GRU: 3, nn.LSTM: 4, nn.RNNCell: 1, nn.GRUCell: 3, nn.LSTMCell: 4}


class Recurrent(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell, self.out = cell(12, 8), nn.Linear(8, 2)

    def forward(self, x):
        result = self.cell(x)
        return self.out(result[0] if isinstance(result, tuple) else result)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_every_gate_of_a_recurrence_is_orthogonal_where_the_default_was(cell, policy):
    model = Recurrent(cell)
    name = next(n for n, _ in model.named_parameters() if "weight_hh" in n)
    before = model.get_parameter(name).detach().clone()
    initlint.apply_(model, torch.randn(5, 12), seed=0, policy=policy)
    assert model.get_parameter(name).equal(before)
    model = Recurrent(cell)
    report = initlint.apply_(model, torch.randn(5, 12), seed=0, policy=policy, scope="recommended")
    for gate in model.get_parameter(name).detach().view(CELLS[cell], 8, 8):
        assert torch.allclose(gate @ gate.T, torch.eye(8), atol=1e-5)
    into = model.get_parameter(name.replace("hh", "ih"))
    assert into.square().mean().sqrt().item() == pytest.approx(math.sqrt(2 / 20), rel=0.15)
    assert {one.status for one in report.outcomes} == {"filled"}


def test_a_recurrence_that_was_meant_is_kept():
    model = Recurrent(nn.RNN)
    nn.init.eye_(model.cell.weight_hh_l0)
    nn.init.constant_(model.cell.bias_ih_l0, 1.0)
    initlint.apply_(model, torch.randn(5, 12), seed=0, scope="recommended")
    assert model.cell.weight_hh_l0.equal(torch.eye(8)) and (model.cell.bias_ih_l0 == 1).all()


def test_a_projection_of_the_state_stays():
    model = Recurrent(lambda *sizes: nn.LSTM(*sizes, proj_size=4))
    model.out = nn.Linear(4, 2)
    before = model.cell.weight_hr_l0.detach().clone()
    initlint.apply_(model, torch.randn(5, 12), seed=0, scope="all")
    assert model.cell.weight_hr_l0.equal(before)


def test_the_last_of_equal_layers_is_treated_as_its_siblings():
    class Readers(nn.Module):
        """Two readers with different activations read what the last layer gives."""

        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
            self.a, self.b = nn.Linear(16, 3), nn.Linear(16, 3)

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = torch.relu(layer(x))
            x = self.layers[-1](x)
            return self.a(torch.relu(x)), self.b(torch.tanh(x))

    report = initlint.apply_(Readers(), seed=0, scope="all")
    stds = [x.recommended.std for x in report.layers if x.parameter.startswith("layers")]
    assert stds == pytest.approx([math.sqrt(2 / 16)] * 4)


def test_the_scale_of_a_tied_head_is_its_embeddings():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
            nn.init.normal_(self.embed.weight, std=0.02)
            self.out.weight = self.embed.weight
            self.block, self.norm = Block(16), nn.LayerNorm(16)

        def forward(self, tokens):
            return self.out(self.norm(self.block(self.embed(tokens))))

    for scope in ("findings", "recommended", "all"):
        model = Tied()
        before = model.embed.weight.detach().clone()
        initlint.apply_(model, torch.zeros(2, 3, dtype=torch.long), seed=0, scope=scope)
        assert model.embed.weight.equal(before) and model.out.weight is model.embed.weight
        loss = F.cross_entropy(model(torch.randint(50, (8, 3))).flatten(0, 1), torch.arange(24))
        assert loss.item() == pytest.approx(math.log(50), rel=0.05)


class Joined(nn.Module):
    """Attention whose q, k and v lie in one layer."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        return x + self.out(nn.functional.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize("policy", ["following", "orthogonal"])
def test_q_k_and_v_in_one_layer_are_filled_by_their_own_fans(policy):
    model = Joined()
    initlint.apply_(model, seed=0, scope="recommended", policy=policy)
    for part in model.qkv.weight.detach().chunk(3):
        assert part.std().item() == pytest.approx(1 / math.sqrt(32), rel=0.1)
        if policy == "orthogonal":
            square = part @ part.T
            assert torch.allclose(square, square[0, 0] * torch.eye(32), atol=1e-4)


@pytest.mark.parametrize("zeros", [True, False])
def test_the_last_block_before_the_norm_at_the_end_of_a_stack_is_as_the_others(zeros):
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))
            self.last = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))
            for parameter in self.last.parameters() if zeros else ():
                nn.init.zeros_(parameter)
            self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 2)

        def forward(self, x):
            for inner, last in zip(self.inner, self.last, strict=True):
                x = x + last(torch.relu(inner(x)))
            return self.out(self.norm(x))

    report = initlint.check(lambda: Stack())
    assert not report.findings
    branches = {layer.parameter: layer.branch for layer in report.layers}
    for place in range(4):
        assert branches[f"inner.{place}.weight"] == "inside"
        assert branches[f"last.{place}.weight"] == "last"
    assert not any(one.status == "filled" for one in initlint.apply_(Stack(), seed=0).outcomes)


def test_a_block_that_ends_in_its_own_norm_has_no_bare_branch():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down, self.norm = nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8)

        def forward(self, x):
            return self.norm(x + self.down(torch.relu(self.up(x))))

    model = nn.Sequential(nn.Linear(8, 8), *(Block() for _ in range(3)), nn.Linear(8, 2))
    assert not any(layer.branch for layer in initlint.check(model).layers)
