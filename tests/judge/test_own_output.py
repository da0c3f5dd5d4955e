"""The layer before the model's own sigmoid, tanh or softmax is judged like one before a loss."""

import pytest

PLAIN = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.zero, self.mid = nn.Linear(64, 64), nn.Linear(64, 64)
            self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 4)
        def forward(self, x):
            x = self.mid(self.zero(x))
            return {result}
"""
OUTPUTS = {
    "sigmoid": "torch.sigmoid({logits})",
    "tanh": "torch.tanh({logits})",
    "hardtanh": "F.hardtanh({logits})",
    "softmax": "torch.softmax({logits}, -1)",
    "a policy's action": "2.0 * torch.tanh({logits})",
    "a probability": "torch.sigmoid({logits}).squeeze(-1)",
    "an image": "(torch.tanh({logits}) + 1) / 2",
    "two results": "(torch.sigmoid({logits}), torch.sigmoid({logits}).mean())",
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("hidden", ["relu", "tanh", "sigmoid"])
def test_moving_it_into_the_loss_changes_nothing(judge, output, hidden):
    logits = f"self.last(torch.{hidden}(self.first(torch.{hidden}(x))))"
    bare = judge(PLAIN.format(result=logits))
    found = judge(PLAIN.format(result=output.format(logits=logits)))
    assert found.codes == bare.codes
    assert "last.weight" not in found.codes
    assert found.layers["last.weight"].recommended.name == "xavier_normal_"
    # The signal up to there is the same; the activation only flattens the gradient.
    said, expected = ([f.message.partition(";")[0] for f in r.findings] for r in (found, bare))
    assert said == expected


FILLED = {"kaiming_normal_(w)": "", "normal_(w, std=3.0)": "INIT305", "uniform_(w)": "INIT305"}


@pytest.mark.parametrize(("fill", "code"), FILLED.items(), ids=FILLED)
def test_only_what_saturates_it_is_reported(judge, fill, code):
    call = fill.replace("(w", "(self.last.weight")
    source = PLAIN.format(result="torch.sigmoid(self.last(torch.relu(self.first(x))))")
    begin = "            self.first, self.last"
    lines = source.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith(begin))
    lines.insert(place + 1, f"            nn.init.{call}")
    found = judge("\n".join(lines))
    assert found.codes.get("last.weight", "") == code


def test_logistic_regression(judge):
    found = judge(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(8, 1)
            def forward(self, x):
                return torch.sigmoid(self.linear(x))
        """
    )
    assert found.codes == {}


@pytest.mark.parametrize("hidden", ["tanh", "sigmoid", "hardsigmoid", "softsign"])
def test_hidden_layers_are_still_reported(judge, hidden):
    logits = f"self.last(F.{hidden}(self.first(F.{hidden}(x))))"
    found = judge(PLAIN.format(result=f"torch.sigmoid({logits})").replace("F.tanh", "torch.tanh"))
    assert found.codes == {"mid.weight": "INIT103", "first.weight": "INIT103"}


def test_a_bounded_value_that_goes_into_another_layer_is_no_output(judge):
    found = judge(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.zero, self.mid = nn.Linear(64, 64), nn.Linear(64, 64)
                self.first, self.last = nn.Linear(64, 64), nn.Linear(64, 4)
            def forward(self, x):
                code = torch.tanh(self.first(torch.tanh(self.mid(self.zero(x)))))
                return code, self.last(code)
        """
    )
    assert found.codes == {"mid.weight": "INIT103", "first.weight": "INIT103"}


FIELD = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)
            self.density, self.colour = nn.Linear(64, {units}), nn.Linear(64, 3)

        def forward(self, x):
            x = self.c(self.b(self.a(x).relu()).relu()).relu()
            return torch.cat([torch.sigmoid(self.colour(x)), F.relu(self.density(x))], -1)
"""


@pytest.mark.parametrize(("units", "reported"), [(1, {"b", "c"}), (64, {"b", "c", "density"})])
def test_one_unit_before_a_rectifier_is_a_quantity(judge, units, reported):
    found = judge(FIELD.format(units=units))
    assert {name.partition(".")[0] for name in found.codes} == reported
    assert set(found.codes.values()) == {"INIT101"}
