"""apply_ traces a model only where its graph can decide something."""

import pytest
import torch
from torch import nn

import initlint

# A global list: what forward writes to the model itself is put back after tracing.
CALLS = []


class Net(nn.Module):
    """Layers with PyTorch's default, a norm, and a gate that somebody set to zero."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(64, 64)
        self.norm = nn.LayerNorm(64)
        self.gate = nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x):
        CALLS.append(1)
        x = torch.relu(self.body(x))
        return self.head(self.norm(x + self.gate(x)))


class Set(Net):
    """The same; all of it was set."""

    def __init__(self):
        super().__init__()
        for linear in (self.body, self.head):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)


class Frozen(Net):
    """The same; none of it is trained."""

    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Normed(nn.Module):
    """A model without weights that anything could fill."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(64)

    def forward(self, x):
        CALLS.append(1)
        return torch.relu(self.norm(x))


def applied(model, **options):
    """How often apply_ calls a model's forward, and the parameters that it fills."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    CALLS.clear()
    initlint.apply_(model, seed=0, **options)
    after = model.state_dict()
    return len(CALLS), {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (Net, {"skip": "*"}),
        (Net, {"skip": ["body", "head"]}),
        (Net, {"only": "gate"}),
        (Net, {"only": ["gate.weight", "norm"]}),
        (Net, {"overrides": {"*": "keep"}}),
        (Net, {"overrides": {"body": "keep", "head": "keep"}}),
        (Net, {"scope": "all", "skip": "*"}),
        (Net, {"scope": "recommended", "only": "gate"}),
        (Set, {}),
        (Set, {"scope": "recommended"}),
        (Frozen, {}),
        (Frozen, {"scope": "all"}),
        (Normed, {}),
        (Normed, {"scope": "recommended"}),
    ],
)
@pytest.mark.parametrize("policy", ["following", "orthogonal"])
def test_a_model_with_nothing_to_fill_is_not_traced(made, options, policy):
    assert applied(made(), policy=policy, **options) == (0, set())


def test_layers_that_the_caller_fills_need_no_graph():
    overrides = {"body": ("orthogonal_", {"gain": 1.0}), "head": 0.02}
    calls, filled = applied(Net(), overrides=overrides)
    assert calls == 0 and {"body.weight", "head.weight"} <= filled


@pytest.mark.parametrize("options", [{}, {"only": "body"}, {"skip": "head"}, {"scope": "all"}])
def test_a_layer_with_the_default_is_traced_once(options):
    assert applied(Net(), **options)[0] == 1
