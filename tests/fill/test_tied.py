"""Heads on the weight of an embedding: training begins with a loss of about ln(classes)."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import initlint

CLASSES, WIDTH = 50, 32


class Tied(nn.Module):
    """Two layers, or a block with a norm at its end, between an embedding and the head on it."""

    def __init__(self, normed=False, spelled="module", std=1.0):
        super().__init__()
        self.embed = nn.Embedding(CLASSES, WIDTH)
        nn.init.normal_(self.embed.weight, std=std)
        self.first, self.last = nn.Linear(WIDTH, 64), nn.Linear(64, WIDTH)
        self.norm = nn.LayerNorm(WIDTH) if normed else nn.Identity()
        self.normed, self.spelled = normed, spelled
        if spelled == "module":
            self.out = nn.Linear(WIDTH, CLASSES, bias=False)
            self.out.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens)
        y = self.last(torch.relu(self.first(x)))
        y = self.norm(x + y) if self.normed else y
        if self.spelled == "module":
            return self.out(y)
        return F.linear(y, self.embed.weight) if self.spelled == "F" else y @ self.embed.weight.T


def first_loss(model):
    tokens = torch.randint(CLASSES, (16, 12), generator=torch.Generator().manual_seed(0))
    wanted = torch.randint(CLASSES, (16 * 12,), generator=torch.Generator().manual_seed(1))
    return F.cross_entropy(model(tokens).flatten(0, 1), wanted).item()


def filled(report):
    return {one.parameter for one in report.outcomes if one.status == "filled"}


@pytest.mark.parametrize("scope", ["recommended", "all"])
@pytest.mark.parametrize("spelled", ["module", "F", "@"])
@pytest.mark.parametrize(("policy", "most"), [("following", 1.0), ("calibrated", 0.2)])
def test_the_layer_before_a_tied_head_makes_up_for_its_scale(policy, most, spelled, scope):
    torch.manual_seed(0)
    model = Tied(spelled=spelled)
    embedding = model.embed.weight.detach().clone()
    report = initlint.apply_(model, seed=0, policy=policy, scope=scope)
    assert model.embed.weight.equal(embedding)
    assert filled(report) >= {"first.weight", "last.weight"}
    assert first_loss(model) < math.log(CLASSES) + most


def test_a_tied_head_that_is_quiet_changes_nothing():
    model = Tied(std=0.02)
    report = initlint.apply_(model, seed=0, scope="all")
    [last] = [layer for layer in report.layers if layer.parameter == "last.weight"]
    assert last.recommended.std == pytest.approx(math.sqrt(2 / (WIDTH + 64)))


@pytest.mark.parametrize("scope", ["findings", "recommended", "all"])
def test_an_embedding_stays_where_a_norm_is_before_its_head(scope):
    # Measured: a decoder of characters learns worse where tokens are quieter than positions.
    report = initlint.apply_(Tied(normed=True), seed=0, scope=scope)
    assert "embed.weight" not in filled(report)


def test_a_materialized_model_has_them_too():
    model = initlint.materialize(Tied, seed=0, scope="all", policy="calibrated")
    assert model.out.weight is model.embed.weight
    assert first_loss(model) < math.log(CLASSES) + 0.2
