"""What hooks do with a layer's input and result is followed; those that only look do nothing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import weight_norm

from initlint.tracing import capture as capturing
from initlint.tracing.build import Built
from initlint.tracing.layers import layers_of

SEEN = []


def looking(module, given, result):
    SEEN.append(result.mean())


HOOKS = {
    "the result": (
        lambda m: m.b.register_forward_hook(lambda b, i, o: F.relu(o)),
        "linear",
        "relu",
    ),
    "the input": (
        lambda m: m.b.register_forward_pre_hook(lambda b, i: i[0].tanh()),
        "tanh",
        "output",
    ),
    "with keywords": (
        lambda m: m.b.register_forward_pre_hook(
            lambda b, i, k: ((F.silu(i[0]),), k), with_kwargs=True
        ),
        "silu",
        "output",
    ),
    "nothing": (lambda m: m.b.register_forward_hook(looking), "linear", "output"),
    "of torch's own": (lambda m: weight_norm(m.b), "linear", "output"),
}


class Hooked(nn.Module):
    def __init__(self, hook):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        hook(self)

    def forward(self, x):
        return self.b(self.a(x))


def followings(model):
    found = layers_of(Built("model", model, None), (torch.zeros(2, 8),))
    return [layer.following.activation for layer in found]


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("recorded", [False, True], ids=["symbolic", "recorded"])
@pytest.mark.parametrize(("hook", "first", "second"), HOOKS.values(), ids=HOOKS)
def test_hooks_on_a_layer_are_followed(hook, first, second, recorded, monkeypatch):
    def refuse(model):
        raise RuntimeError

    if recorded:
        monkeypatch.setattr(capturing, "traced", refuse)
    model = Hooked(hook)
    assert followings(model) == [first, second]
    assert "forward" not in vars(model.b)


def test_a_hook_that_needs_numbers_is_run():
    model = Hooked(lambda m: m.b.register_forward_hook(lambda b, i, o: o.relu() * float(o.max())))
    assert followings(model) == ["linear", "relu"]
