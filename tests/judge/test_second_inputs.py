"""Residual branches that see more than their stream: a condition, a time, a context."""

import pytest

PARTS = """
    def lin(seen, out=64):
        layer = nn.Linear(seen, out)
        {fill}
        return layer


    def mlp(seen=64):
        return nn.Sequential(lin(seen), nn.ReLU(), lin(64))


    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.w, self.b = lin(64), lin(64), lin(64)

        def forward(self, h, v):
            return self.b(F.relu(self.a(h) + self.w(v)))


    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.o = lin(64), lin(64), lin(64), lin(64)

        def forward(self, h, v):
            scores = torch.softmax(self.q(h) @ self.k(v).transpose(-1, -2) / 8, -1)
            return self.o(scores @ self.v(v))


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.embed = nn.Linear(64, 64), nn.Linear(64, 64)
            self.last = nn.Linear(64, 3)
            self.f = nn.ModuleList([{part} for _ in range(8)])

        def forward(self, x, v):
            h = self.first(x)
            for f in self.f:
                {step}
            return self.last(h)
"""
KAIMING = 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")'
# The step, the module in it, and the last layer of the module.
FED = {
    "a module of two inputs": ("h = h + f(h, v)", "Sum()", "b"),
    "the other way round": ("h = f(h, v) + h", "Sum()", "b"),
    "in place": ("h += f(h, v)", "Sum()", "b"),
    "side by side": ("h = h + f(torch.cat([h, v], 1))", "mlp(128)", "2"),
    "side by side, the stream last": ("h = h + f(torch.cat([v, h], 1))", "mlp(128)", "2"),
    "a product": ("h = h + f(h * v)", "mlp()", "2"),
    "a sum": ("h = h + f(h + v)", "mlp()", "2"),
    "an embedded time": ("h = h + f(h, self.embed(v))", "Sum()", "b"),
    "another stream": ("h, v = h + f(h, v), v + h", "Sum()", "b"),
    "dropped": ("h = h + F.dropout(f(h, v), 0.1)", "Sum()", "b"),
}


def _of(step: str, part: str, fill: str) -> str:
    return PARTS.format(step=step, part=part, fill=fill)


@pytest.mark.parametrize("name", FED)
def test_a_stream_that_grows_is_reported(judge, name):
    step, part, last = FED[name]
    found = judge(_of(step, part, KAIMING))
    assert found.layers[f"f.0.{last}.weight"].branch == "last"
    assert "INIT303" in found.codes.values()
    assert found.recommended()[f"f.0.{last}.weight"] == 0


@pytest.mark.parametrize("name", FED)
def test_the_default_is_left_alone(judge, name):
    step, part, _ = FED[name]
    found = judge(_of(step, part, "pass"))
    inner = [layer.branch for name, layer in found.layers.items() if name.startswith("f.")]
    assert set(inner) == {"inside", "last"}
    assert not [name for name in found.codes if name.startswith("f.")]


def test_attention_to_a_context_is_a_branch(judge):
    found = judge(_of("h = h + f(h, v)", "Cross()", "pass"))
    assert found.layers["f.0.o.weight"].branch == "last"
    assert found.layers["f.0.q.weight"].branch == "inside"


# What only looks like it.
OTHERS = {
    "only the condition": ("h = h + f(v)", "mlp()"),
    "no sum": ("h = f(torch.cat([h, v], 1))", "mlp(128)"),
    "a gated stream": ("h = h * torch.sigmoid(v) + f(v)", "mlp()"),
    "a stream with a layer": (
        "h = torch.relu(self.embed(h)) + f(torch.cat([h, v], 1))",
        "mlp(128)",
    ),
    "side by side alone": (
        "h = torch.cat([h[:, :32], f(torch.cat([h, v], 1))[:, :32]], 1)",
        "mlp(128)",
    ),
    "a convex sum": (
        "g = torch.sigmoid(v); h = g * h + (1 - g) * f(torch.cat([h, v], 1))",
        "mlp(128)",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_sums_are_none(judge, name):
    step, part = OTHERS[name]
    found = judge(_of(step, part, "pass"))
    assert not any(layer.branch for layer in found.layers.values())


ENCODED = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 3)
            layers = [part for _ in range(5) for part in (nn.Linear(64, 64), nn.ReLU())]
            self.encoder = nn.Sequential(*layers)
            self.a, self.w, self.b = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x, v):
            h = self.first(x)
            h = h + self.b(F.relu(self.a(h) + self.w(self.encoder(v))))
            return self.last(F.relu(h))
"""


def test_an_encoder_of_the_condition_is_no_part_of_the_branch(judge):
    found = judge(ENCODED)
    branches = {name: layer.branch for name, layer in found.layers.items() if layer.branch}
    assert branches == {"a.weight": "inside", "w.weight": "inside", "b.weight": "last"}
    assert found.codes["encoder.2.weight"] == "INIT101"


def test_a_recurrence_with_data_at_every_step_is_no_stream(judge):
    found = judge(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u, self.v = nn.Linear(64, 64), nn.Linear(8, 64), nn.Linear(64, 64)
                self.last = nn.Linear(64, 3)
                for layer in (self.w, self.u, self.v):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

            def forward(self, x):
                h = torch.zeros(x.shape[0], 64)
                for step in range(6):
                    h = h + self.v(F.relu(self.w(h) + self.u(x[:, step, :8])))
                return self.last(h)
        """,
        torch_input(),
    )
    assert "INIT303" not in found.codes.values()


def torch_input():
    torch = pytest.importorskip("torch")
    return torch.ones(2, 6, 8)
