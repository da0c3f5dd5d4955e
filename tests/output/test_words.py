"""Messages name layers as the user wrote them, tell equal findings once, and say what to write."""

import textwrap

import pytest

import initlint
from initlint.cli import main as cli
from initlint.output.phrases import call, message
from initlint.output.silence import silence
from initlint.project.sourcefiles import texts_of

SEQUENCES = """\
from torch import nn

actor = nn.Sequential(
    nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
    nn.Linear(64, 2))
critic = nn.Sequential(
    nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
    nn.Linear(64, 1))
"""
LOOP = """\
from torch import nn

def make_mlp(sizes, act=nn.ReLU):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            layers.append(act())
    return nn.Sequential(*layers)

net = make_mlp([64, 128, 128, 128, 128, 10])
"""


def checked(tmp_path, code):
    (tmp_path / "net.py").write_text(textwrap.dedent(code))
    return initlint.check(tmp_path / "net.py")


def test_a_member_of_a_bare_sequential_is_named_with_its_model(tmp_path):
    messages = [finding.message for finding in checked(tmp_path, SEQUENCES).findings]
    assert {message.split()[0] for message in messages} == {
        "actor[2]",
        "actor[4]",
        "critic[2]",
        "critic[4]",
    }
    assert all("predicted signal at actor[6]" in m for m in messages if m.startswith("actor"))


NAMES = """\
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range({depth})])
        self.a_rather_long_name_of_a_layer = nn.Linear(width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        x = {act}
        for layer in self.hidden:
            x = {act}
        x = self.a_rather_long_name_of_a_layer(x)
        return self.head({act})
"""
ACTS = ["F.relu(layer(x))", "F.leaky_relu(layer(x), 0.01)", "F.gelu(layer(x))"]


@pytest.mark.parametrize("depth", [1, 2, 12])
@pytest.mark.parametrize("act", ACTS)
def test_a_line_has_at_most_160_characters_and_names_as_in_the_source(tmp_path, act, depth):
    first = act.replace("layer", "self.stem")
    last = act.replace("layer(x)", "x")
    code = NAMES.format(depth=depth, act="{act}")
    code = code.replace("{act}", first, 1).replace("{act}", act, 1).replace("{act}", last, 1)
    report = checked(tmp_path, code)
    lines = [message(finding, texts_of(report)) for finding in report.findings]
    assert any(line.startswith("hidden[0] keeps") for line in lines)
    assert all(len(line) <= 160 for line in lines)
    assert all("hidden.0" not in line for line in lines)
    # The value to write is the last to go.
    assert all("; write " in line for line in lines if "leaky" not in line)


def test_members_of_a_class_keep_their_names(tmp_path):
    code = """
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(
                    nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64),
                    nn.ReLU())

            def forward(self, x):
                return self.body(x)
    """
    found = checked(tmp_path, code).findings
    assert {finding.message.split()[0] for finding in found} == {"body[2]", "body[4]"}


def test_a_line_that_makes_the_output_too_says_so_and_what_to_write(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    [finding] = checked(tmp_path, LOOP).findings
    assert "the line also makes [8].weight, which stays as it is" in finding.unfixed
    assert "need another initialiser" not in finding.unfixed
    assert len(finding.message) <= 160
    cli.main(["check", "net.py"])
    call = "for i in (2, 4, 6): nn.init.kaiming_normal_(net[i].weight, "
    assert call in capsys.readouterr().out


HELPS = {
    "INIT001": (
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(8, 8))

            def forward(self, x):
                return torch.relu(x @ self.weight)
        """,
        "help: nn.init.xavier_normal_(self.weight)",
    ),
    "INIT010": (
        """
        import copy
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                layer = nn.Linear(8, 8)
                self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(6)])

            def forward(self, x):
                for layer in self.layers:
                    x = x + layer(x)
                return x
        """,
        "help: make each layer by a call of its own, or call reset_parameters() of the copies",
    ),
    "INIT204": (
        """
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(64, 64)
                nn.init.orthogonal_(self.lstm.weight_hh_l0)

            def forward(self, x):
                return self.lstm(x)[0]
        """,
        "help: for part in self.lstm.weight_hh_l0.chunk(4): nn.init.orthogonal_(part)",
    ),
}


@pytest.mark.parametrize("code,text_and_help", HELPS.items(), ids=HELPS)
def test_a_finding_without_a_recommendation_says_what_to_write(tmp_path, code, text_and_help):
    text, expected = text_and_help
    report = checked(tmp_path, text)
    assert code in {finding.code for finding in report.findings}
    assert expected in str(report)


BEHIND = """
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(64, 64)
            self.a = nn.Linear(64, 64)
            self.b = nn.Linear(64, 64)
            self.first = nn.Linear(8, 64)

        def forward(self, x):
            return {}
"""


@pytest.mark.parametrize(
    "result,name",
    [
        ("self.b(self.a(self.rnn(x)[0]).relu())", "a.weight"),
        ("self.b(self.a(unknown(x)).relu())", "a.weight"),
    ],
)
def test_what_is_behind_an_unknown_operation_need_not_see_the_data(tmp_path, result, name):
    layers = {x.parameter: x for x in checked(tmp_path, BEHIND.format(result)).layers}
    assert silence(layers[name], {}) == "what comes before it is not known"


def test_the_first_layer_sees_the_data(tmp_path):
    report = checked(tmp_path, BEHIND.format("self.a(self.first(x).relu())"))
    layers = {x.parameter: x for x in report.layers}
    assert silence(layers["first.weight"], {}) == "it sees the data"


@pytest.mark.torch
def test_equal_findings_of_a_live_model_are_told_once():
    import torch
    from torch import nn

    class Tanh20(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [m for _ in range(20) for m in (nn.Linear(64, 64), nn.Tanh())]
            self.hidden = nn.Sequential(*layers)
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(self.hidden(x))

    torch.manual_seed(0)
    model = Tanh20()
    findings = initlint.check(model).findings
    assert len(findings) == 1
    assert findings[0].message.endswith(" (18 more like it)")
    assert len(findings[0].message) <= 160
    assert len(findings[0].parameters) == 19
    with torch.no_grad():
        model.hidden[10].weight.mul_(20)
    found = initlint.check(model).findings
    assert sum(len(finding.parameters) for finding in found) >= 19
    assert len(found) > 1


FACTORY = """
from torch import nn


def make_mlp(sizes=(64, 128, 128, 128, 10)):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
        if i < len(sizes) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)
"""


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("", "nn.init.kaiming_normal_(model[i].weight, {})  # model = make_mlp(...)"),
        ("mlp = make_mlp()\n", "nn.init.kaiming_normal_(mlp[i].weight, {})"),
        (
            "class Agent(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.actor = make_mlp()\n\n"
            "    def forward(self, x):\n        return self.actor(x)\n",
            "nn.init.kaiming_normal_(model.actor[i].weight, {})  # model = Agent(...)",
        ),
    ],
)
def test_a_help_line_says_what_model_is(tmp_path, rest, said):
    """A name that the code does not have is explained, one that it has is used."""
    [finding] = checked(tmp_path, FACTORY + rest).findings
    written = call(finding, texts_of(checked(tmp_path, FACTORY + rest)))
    assert written.endswith(said.format('mode="fan_in", nonlinearity="relu"')), written
    compile(written, "help", "exec")
