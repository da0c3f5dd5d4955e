"""A policy's small last layer beside a critic that sees its action."""

import pytest

SMALL = "nn.init.uniform_(self.last.weight, -3e-3, 3e-3)"
NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.body, self.last = nn.Linear(8, 64), nn.Linear(64, 64), nn.Linear(64, 2)
            self.q1, self.q2, self.q3 = nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1)
            for layer in (self.body, self.q1, self.q2):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            {fill}

        def critic(self, x, a):
            return self.q3(F.relu(self.q2(F.relu(self.q1(torch.cat([x, a], 1))))))

        def forward(self, x):
            h = F.relu(self.body(F.relu(self.first(x))))
            a = {action}
            return {result}
"""
ACTIONS = {
    "an action and its value": (SMALL, "torch.tanh(self.last(h))", "a, self.critic(x, a)"),
    "the value first": (SMALL, "self.last(h).tanh()", "self.critic(x, a), a"),
    "a scaled action": (SMALL, "2 * torch.tanh(self.last(h))", "a, self.critic(x, a)"),
    "a normal draw": (
        "nn.init.normal_(self.last.weight, std=1e-3)",
        "torch.tanh(self.last(h))",
        "{'action': a, 'value': self.critic(x, a)}",
    ),
    "a sigmoid": (SMALL, "torch.sigmoid(self.last(h))", "a, self.critic(x, a)"),
    "the action alone": (SMALL, "torch.tanh(self.last(h))", "a"),
    "two heads": (SMALL, "torch.tanh(self.last(h))", "a, self.q2(h)"),
}
HIDDEN = {
    "a hidden layer that is small": (SMALL, "torch.tanh(self.last(h))", "self.critic(x, a)"),
    "a loud action": (
        "nn.init.normal_(self.last.weight, std=3.0)",
        "torch.tanh(self.last(h))",
        "a, self.critic(x, a)",
    ),
    "a rectified result": (
        "nn.init.normal_(self.last.weight, std=1e-3)",
        "F.relu(self.last(h))",
        "a, self.critic(x, a)",
    ),
    "a small layer before it": (
        "nn.init.normal_(self.body.weight, std=1e-3)",
        "torch.tanh(self.last(h))",
        "a, self.critic(x, a)",
    ),
    "a small layer of the critic": (
        "nn.init.normal_(self.q2.weight, std=1e-3)",
        "torch.tanh(self.last(h))",
        "a, self.critic(x, a)",
    ),
    "a small layer of both": (
        "nn.init.normal_(self.first.weight, std=1e-4)",
        "torch.tanh(self.last(h))",
        "a, self.critic(x, a)",
    ),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_small_action_is_left_alone(judge, name):
    fill, action, result = ACTIONS[name]
    found = judge(NET.format(fill=fill, action=action, result=result))
    assert "INIT106" not in found.codes.values()
    assert found.layers["last.weight"].shown


@pytest.mark.parametrize("name", HIDDEN)
def test_other_scales_are_reported(judge, name):
    fill, action, result = HIDDEN[name]
    found = judge(NET.format(fill=fill, action=action, result=result))
    layer = fill.partition("self.")[2].partition(".weight")[0]
    assert found.codes.get(f"{layer}.weight") == "INIT106"
