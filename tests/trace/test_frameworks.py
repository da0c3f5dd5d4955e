"""Frameworks that do not initialise on the meta device are judged by what they do elsewhere."""

from typing import ClassVar

import pytest
import torch
from torch import nn

import initlint


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    return TORCHS_OWN(tensor, mean=mean, std=std, generator=generator)


TORCHS_OWN = nn.init.normal_


class PreTrainedModel(nn.Module):
    """As transformers 5: on the meta device the constructor does not initialise."""

    def post_init(self):
        if torch.empty(0).device.type != "meta":
            self.initialize_weights()

    def initialize_weights(self):
        """With functions of its own in the place of torch's while it lasts, as transformers."""
        original, nn.init.normal_ = nn.init.normal_, normal_
        try:
            self.apply(self._init_weights)
        finally:
            nn.init.normal_ = original

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)


class Body(PreTrainedModel):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 64)
        self.fc1, self.fc2 = nn.Linear(64, 64), nn.Linear(64, 64)
        self.post_init()

    def forward(self, input_ids):
        return self.fc2(self.fc1(self.embed(input_ids)).relu())


class Whole(nn.Module):
    """Somebody's own module around it."""

    def __init__(self):
        super().__init__()
        self.body, self.head = Body(), nn.Linear(64, 2)

    def forward(self, input_ids):
        return self.head(self.body(input_ids))


@pytest.mark.parametrize(("target", "prefix"), [(Body, ""), (Whole, "body.")])
def test_their_initialisation_is_what_is_judged(target, prefix):
    layers = {layer.parameter: layer for layer in initlint.check(target).layers}
    current = layers[f"{prefix}fc1.weight"].current
    assert (current.name, current.std, current.default) == ("normal_", 0.02, False)
    assert current.site.path.endswith("test_frameworks.py")


class Tied(Body):
    """Its head, drawn smaller, is tied to the embedding after it has initialised itself."""

    all_tied_weights_keys: ClassVar = {"head.weight": "embed.weight"}

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64, 100, bias=False)
        self.post_init()
        self.head.weight = self.embed.weight

    def _init_weights(self, module):
        std = 0.001 if module is getattr(self, "head", None) else 0.02
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=std)

    def forward(self, input_ids):
        return self.head(super().forward(input_ids))


def test_what_they_draw_for_a_tied_head_is_lost():
    assert Tied().embed.weight.std().item() == pytest.approx(0.02, rel=0.05)
    made = initlint.materialize(Tied, seed=0)
    assert made.head.weight is made.embed.weight
    assert made.embed.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_what_they_do_not_touch_stays_the_default():
    layers = {layer.parameter: layer for layer in initlint.check(Whole).layers}
    assert layers["head.weight"].current.default


def test_they_are_materialized_with_it():
    model = initlint.materialize(Whole, seed=0, scope="all")
    assert model.body.embed.weight.std().item() == pytest.approx(0.02, rel=0.05)
