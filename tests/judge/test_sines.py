"""Nets of sines, sin(ω·x): SIREN's own scales, and what its copies get wrong."""

import pytest

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.out = nn.Linear({n}, 64), nn.Linear(64, 3)
            self.hidden = nn.ModuleList([nn.Linear(64, 64) for _ in range(3)])
            {first}
            for layer in self.hidden:
                {hidden}

        def forward(self, x):
            x = torch.sin({omega} * self.first(x))
            for layer in self.hidden:
                x = ({omega} * layer(x)).sin()
            return self.out(x)
"""
OWN = "nn.init.uniform_(self.first.weight, -1 / {n}, 1 / {n})"
SMALL = "b = math.sqrt(6 / {n}) / {omega}; nn.init.uniform_(self.first.weight, -b, b)"
HIDDEN = "b = math.sqrt(6 / 64) / {omega}; nn.init.uniform_(layer.weight, -b, b)"
KAIMING = "nn.init.kaiming_normal_(layer.weight)"


def source(first, hidden, n=2, omega=30):
    first, hidden = (text.format(n=n, omega=omega) for text in (first, hidden))
    return NET.format(first=first, hidden=hidden, n=n, omega=omega)


@pytest.mark.parametrize("omega", [5, 10, 30, 100.0])
@pytest.mark.parametrize("n", [1, 2, 3, 28])
def test_the_scales_of_the_paper_are_right(judge, n, omega):
    assert judge(source(OWN, HIDDEN, n, omega)).findings == ()


@pytest.mark.parametrize(
    "first",
    [
        "pass",
        "nn.init.normal_(self.first.weight, std=10.0)",
        "nn.init.uniform_(self.first.weight, -1, 1)",
    ],
    ids=["default", "Fourier features", "wide"],
)
def test_higher_frequencies_are_a_choice(judge, first):
    assert judge(source(first, HIDDEN)).findings == ()


def test_a_first_layer_scaled_as_the_hidden_ones_is_reported(judge):
    (finding,) = judge(source(SMALL, HIDDEN)).findings
    assert (finding.code, finding.layer) == ("INIT106", "first")
    assert "before sin(omega=30): 0.12× the std it needs" in finding.message


@pytest.mark.parametrize(("hidden", "factor"), [("pass", "12×"), (KAIMING, "30×")])
def test_hidden_layers_that_forget_omega_are_reported(judge, hidden, factor):
    found = judge(source(OWN, hidden))
    assert found.codes == {f"hidden.{i}.weight": "INIT105" for i in range(3)}
    message = found.findings[0].message
    assert len(message.partition(" (2 more")[0]) <= 160
    assert found.recommended()["hidden.0.weight"] == pytest.approx((2 / 64) ** 0.5 / 30, rel=1e-3)


@pytest.mark.parametrize(
    "expression",
    [
        "torch.sin(layer(x))",
        "torch.cat([torch.sin(4 * layer(x)), torch.cos(4 * layer(x))], -1)[..., :64]",
        "torch.sin(self.omegas * layer(x))",
        "torch.sin(3 * layer(x)) ** 2 / 3 + x",
        "(lambda y: y + torch.sin(9 * y) ** 2 / 9)(layer(x))",
    ],
    ids=["no factor", "an encoding", "a learned factor", "a square", "snake"],
)
def test_other_sines_are_not_judged(judge, expression):
    text = f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(6)])
                self.omegas, self.out = nn.Parameter(torch.ones(64)), nn.Linear(64, 3)

            def forward(self, x):
                for layer in self.layers:
                    x = {expression}
                return self.out(x)
    """
    assert judge(text).findings == ()


UNCALLED = """
    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.hidden = nn.Linear(2, 64), nn.Linear(64, 64)
            self.out = nn.Linear(64, 3)
            {first}
            nn.init.uniform_(self.hidden.weight, -math.sqrt(6 / 64) / 30, math.sqrt(6 / 64) / 30)

        def forward(self, x):
            x = torch.sin(30 * self.hidden(torch.sin(30 * self.first(x))))
            return self.out(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.field = Field()
            self.body = nn.Linear(8, 4)

        def forward(self, x):
            return self.body(x)
"""


@pytest.mark.parametrize("first", [OWN, SMALL, "pass"], ids=["own", "small", "default"])
def test_a_field_that_forward_does_not_call_may_see_data_or_not(judge, first):
    assert judge(UNCALLED.format(first=first.format(n=2, omega=30))).findings == ()


def test_a_hidden_layer_of_such_a_field_is_reported(judge):
    text = UNCALLED.format(first=OWN.format(n=2)).replace("/ 30)", "/ 2)").replace("/ 30,", "/ 2,")
    assert [finding.layer for finding in judge(text).findings] == ["field.hidden"]
