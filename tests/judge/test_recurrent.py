"""Recurrent weights are orthogonal, gate by gate; they are not reported by gain."""

import math
import textwrap

import pytest
import torch
from torch import nn

import initlint

# Each Net has its recurrent weights in `u…`, those of its inputs in `w…`, and a head `out`.
WRITTEN_OUT = {
    "a range of the data's length": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u, self.out = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            def forward(self, x):
                h = torch.zeros(x.size(0), 64)
                for t in range(x.size(1)):
                    h = torch.tanh(self.w(x[:, t]) + self.u(h))
                return self.out(h)
    """,
    "a range of five": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u, self.out = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            def forward(self, x):
                h = x.new_zeros(x.size(0), 64)
                for t in range(5):
                    h = torch.relu(self.u(h) + self.w(x[:, t]))
                return self.out(h)
    """,
    "over the data": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u, self.out = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            def forward(self, x):
                h, outs = torch.zeros(x.size(0), 64), []
                for x_t in x.unbind(1):
                    h = torch.tanh(self.w(x_t) + self.u(h))
                    outs.append(h)
                return self.out(torch.stack(outs, 1))
    """,
    "while": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u, self.out = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 10)
            def forward(self, x):
                h, t = None, 0
                while t < x.size(1):
                    h = torch.tanh(self.w(x[:, t]) + (0 if h is None else self.u(h)))
                    t += 1
                return self.out(h)
    """,
    "a cell of one's own": """
        class Cell(nn.Module):
            def __init__(self, width, inner):
                super().__init__()
                self.w, self.u = nn.Linear(width, inner), nn.Linear(inner, inner, bias=False)
            def forward(self, x, h):
                return torch.tanh(self.w(x) + self.u(h))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell, self.out = Cell(32, 64), nn.Linear(64, 10)
            def forward(self, x, h=None):
                h = torch.zeros(x.size(0), 64) if h is None else h
                for t in range(x.size(1)):
                    h = self.cell(x[:, t], h)
                return self.out(h)
    """,
    "bare parameters": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(torch.randn(32, 64) * 0.1)
                self.u = nn.Parameter(torch.randn(64, 64) * 0.01)
                self.out = nn.Linear(64, 10)
            def forward(self, x):
                h = torch.zeros(x.size(0), 64)
                for t in range(x.size(1)):
                    h = torch.tanh(x[:, t] @ self.w + h @ self.u)
                return self.out(h)
    """,
    "side by side": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.u, self.out = nn.Linear(96, 64), nn.Linear(64, 10)
            def forward(self, x):
                h = torch.zeros(x.size(0), 64)
                for t in range(x.size(1)):
                    h = torch.tanh(self.u(torch.cat([x[:, t], h], 1)))
                return self.out(h)
    """,
    "its own result alone": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.u, self.out = nn.Linear(32, 32), nn.Linear(32, 10)
            def forward(self, x):
                for _ in range(4):
                    x = F.relu(self.u(x))
                return self.out(x)
    """,
    "two states by turns": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.u, self.u2, self.out = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 10)
            def forward(self, x):
                one = other = x[:, 0]
                for _ in range(x.size(1)):
                    new = torch.tanh(self.u(other))
                    other = torch.tanh(self.u2(one))
                    one = new
                return self.out(one + other)
    """,
}


@pytest.mark.parametrize("source", WRITTEN_OUT.values(), ids=WRITTEN_OUT)
def test_a_weight_used_again_on_its_own_result_is_recurrent(judge, source):
    found = judge(source, torch.zeros(2, 5, 32))
    assert found.codes == {}
    states = [x for name, x in found.layers.items() if "u" in {part[0] for part in name.split(".")}]
    assert states
    for layer in states:
        assert layer.harmless == "the weight is recurrent"
        is_square = layer.shape[0] == layer.shape[1]
        is_bounded = layer.following.activation == "tanh"
        assert wanted(layer) == (orthogonal(layer) if is_square and is_bounded else None)


def wanted(layer):
    return layer.recommended and (layer.recommended.name, layer.recommended.std)


def orthogonal(layer):
    return "orthogonal_", pytest.approx(layer.shape[1] ** -0.5)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", ["", ", num_layers=2, bidirectional=True"])
def test_layers_of_torchs_are(judge, kind, options):
    found = judge(
        f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn = nn.{kind}(32, 128, batch_first=True{options})
                self.out = nn.Linear({256 if options else 128}, 10)
            def forward(self, x):
                return self.out(self.rnn(x)[0][:, -1])
        """,
        torch.zeros(2, 5, 32),
    )
    assert found.codes == {}
    hidden = {name: x for name, x in found.layers.items() if "weight_hh" in name}
    assert len(hidden) == (4 if options else 1)
    for layer in hidden.values():
        assert layer.harmless == "the weight is recurrent"
        assert wanted(layer) == orthogonal(layer)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_of_torchs_are(judge, kind):
    state = "h[0]" if kind == "LSTMCell" else "h"
    found = judge(
        f"""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell, self.out = nn.{kind}(32, 64), nn.Linear(64, 10)
            def forward(self, x):
                h = None
                for t in range(x.size(1)):
                    h = self.cell(x[:, t], h)
                return self.out({state})
        """,
        torch.zeros(2, 5, 32),
    )
    assert found.codes == {}
    layer = found.layers["cell.weight_hh"]
    assert wanted(layer) == orthogonal(layer)
    found = judge(
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.rnn, self.out = nn.LSTM(32, 64, proj_size=16), nn.Linear(16, 10)\n"
        "    def forward(self, x):\n"
        "        return self.out(self.rnn(x)[0][-1])\n",
        torch.zeros(5, 2, 32),
    )
    assert [x.shape for x in found.layers.values()][1:3] == [(256, 16), (16, 64)]
    assert [x.recommended for name, x in found.layers.items() if "_h" in name] == [None, None]


def test_what_feeds_a_recurrence_gets_gain_one_and_keeps_the_default(judge):
    found = judge(WRITTEN_OUT["a range of the data's length"], torch.zeros(2, 5, 32))
    assert found.recommended()["w.weight"] == pytest.approx(math.sqrt(2 / (32 + 64)))
    rnn = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn, self.out = nn.RNN(32, 64), nn.Linear(64, 10)
            def forward(self, x):
                return self.out(self.rnn(x)[0])
    """
    found = judge(rnn, torch.zeros(5, 2, 32))
    assert found.recommended()["rnn.weight_ih_l0"] == pytest.approx(math.sqrt(2 / (32 + 64)))
    far = rnn.replace(
        "            def forward",
        "                nn.init.normal_(self.rnn.weight_ih_l0, std=5.0)\n            def forward",
    )
    assert judge(far, torch.zeros(5, 2, 32)).codes == {"rnn.weight_ih_l0": "INIT106"}


OTHERS = {
    "two inputs": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.g, self.f, self.out = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 10)
            def forward(self, x, y):
                x, y = self.g(x), self.g(y)
                return self.out(torch.relu(self.f(x)) - torch.relu(self.f(y)))
    """,
    "the other way round": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.g, self.f = nn.Linear(128, 128), nn.Linear(128, 32)
                self.out = nn.Linear(128, 10)
            def forward(self, x):
                return self.out(torch.relu(torch.relu(self.f(self.g(x))) @ self.f.weight))
    """,
    "layers in a loop": """
        class Net(nn.Module):
            def __init__(self, count=4):
                super().__init__()
                self.f = nn.ModuleList([nn.Linear(64, 64) for _ in range(count)])
                self.out = nn.Linear(64, 10)
            def forward(self, x):
                for place in range(len(self.f)):
                    x = torch.tanh(self.f[place](x))
                return self.out(x)
    """,
    "beside a loop": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.u = nn.Linear(32, 64), nn.Linear(64, 64)
                self.f, self.out = nn.Linear(64, 64), nn.Linear(64, 10)
            def forward(self, x):
                h, y = torch.zeros(x.size(0), 64), 0
                for t in range(x.size(1)):
                    h = torch.tanh(self.w(x[:, t]) + self.u(h))
                    y = y + self.out(torch.relu(self.f(h)))
                return y
    """,
}


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
def test_other_weights_are_reported_as_before(judge, source):
    inputs = [torch.zeros(2, 5, 32)] if "h, y" in source else []
    found = judge(source, *inputs)
    assert any(name.startswith("f") for name in found.codes)


def test_layers_at_a_place_that_is_not_known_are_not_taken_for_one(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, count):\n"
        "        super().__init__()\n"
        "        self.f = nn.ModuleList([nn.Linear(64, 64) for _ in range(count)])\n"
        "        self.first, self.out = nn.Linear(64, 64), nn.Linear(64, 10)\n"
        "        self.count = count\n"
        "    def forward(self, x):\n"
        "        x = self.first(x)\n"
        "        for place in range(self.count):\n"
        "            x = torch.relu(self.f[place](x))\n"
        "        return self.out(x)\n"
    )
    assert [finding.code for finding in initlint.check(str(path)).findings] == ["INIT101"]


def test_apply_leaves_them_as_they_are():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.out = nn.RNN(32, 64), nn.Linear(64, 10)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    net = Net()
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    report = initlint.apply_(net, torch.zeros(5, 2, 32), seed=0)
    assert all(value.equal(before[name]) for name, value in net.named_parameters())
    (reason,) = [one.reason for one in report.outcomes if one.parameter == "rnn.weight_hh_l0"]
    assert "is recurrent" in reason


RADII = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.{kind}(16, 64)
            self.out = nn.Linear(64, 4)
            {fill}

        def forward(self, x):
            return self.out(self.cell(x)[0][-1])
"""
FILLED = {
    ("RNN", "nn.init.normal_(self.cell.weight_hh_l0)"): "saturates",
    ("RNN", "nn.init.normal_(self.cell.weight_hh_l0, std=0.5)"): "saturates",
    ("RNN", "nn.init.uniform_(self.cell.weight_hh_l0)"): "saturates",
    ("RNN", "nn.init.orthogonal_(self.cell.weight_hh_l0, gain=3)"): "saturates",
    ("RNN", "nn.init.normal_(self.cell.weight_hh_l0, std=0.005)"): "forgotten",
    ("LSTM", "nn.init.normal_(self.cell.weight_hh_l0)"): "saturates",
    ("GRU", "nn.init.uniform_(self.cell.weight_hh_l0, 0, 1)"): "saturates",
    ("RNN", "pass"): "",
    ("RNN", "nn.init.orthogonal_(self.cell.weight_hh_l0)"): "",
    ("RNN", "nn.init.eye_(self.cell.weight_hh_l0)"): "",
    ("RNN", "nn.init.kaiming_normal_(self.cell.weight_hh_l0)"): "",
    ("RNN", 'nn.init.xavier_uniform_(self.cell.weight_hh_l0, nn.init.calculate_gain("tanh"))'): "",
    ("RNN", "nn.init.zeros_(self.cell.weight_hh_l0)"): "",
    ("LSTM", "nn.init.normal_(self.cell.weight_hh_l0, std=0.005)"): "",
    ("GRU", "nn.init.normal_(self.cell.weight_hh_l0, std=0.3)"): "",
}


@pytest.mark.parametrize(("made", "said"), FILLED.items(), ids=[" ".join(x) for x in FILLED])
def test_a_spectral_radius_far_from_one_is_reported(judge, made, said):
    kind, fill = made
    found = judge(RADII.format(kind=kind, fill=fill)).findings
    messages = [f.message for f in found if f.parameter == "cell.weight_hh_l0"]
    assert [said in message for message in messages] == [True] * bool(said)
    assert all(f.code == "INIT106" and f.fix.initializer.name == "orthogonal_" for f in found)
    assert all(len(f.message.partition(" (no fix")[0]) <= 160 for f in found)


def test_of_a_recurrence_that_is_written_out_too(judge):
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.x, self.h, self.out = nn.Linear(8, 64), nn.Linear(64, 64), nn.Linear(64, 4)
                nn.init.normal_(self.h.weight, std={std})

            def forward(self, x):
                h = torch.zeros(x.shape[0], 64)
                for t in range(6):
                    h = torch.tanh(self.x(x[:, t]) + self.h(h))
                return self.out(h)
    """
    data = torch.zeros(2, 6, 8)
    assert judge(source.format(std=1.0), data).codes == {"h.weight": "INIT106"}
    assert judge(source.format(std=0.2), data).codes == {}


FIXES = {
    ("RNN", "nn.init.normal_(self.cell.weight_hh_l0)"): [
        "nn.init.orthogonal_(self.cell.weight_hh_l0)"
    ],
    ("LSTM", "nn.init.normal_(self.cell.weight_hh_l0)  # why"): [
        "for gate in self.cell.weight_hh_l0.chunk(4):",
        "    nn.init.orthogonal_(gate)  # why",
    ],
    ("GRU", "self.cell.weight_hh_l0.data.uniform_(0, 1)"): [
        "for gate in self.cell.weight_hh_l0.data.chunk(3):",
        "    nn.init.orthogonal_(gate)",
    ],
    ("LSTM", "nn.init.orthogonal_(self.cell.weight_hh_l0, gain=9)"): None,
    ("RNN", "[nn.init.uniform_(p) for p in self.parameters() if p.dim() > 1]"): [
        "[nn.init.uniform_(p) for p in self.parameters() if p.dim() > 1]",
        "nn.init.xavier_normal_(self.cell.weight_ih_l0)",
        "nn.init.orthogonal_(self.cell.weight_hh_l0)",
        "nn.init.xavier_normal_(self.out.weight)",
    ],
}


@pytest.mark.parametrize(("made", "written"), FIXES.items(), ids=[" ".join(x) for x in FIXES])
def test_the_fix_makes_every_gate_orthogonal(made, written):
    kind, fill = made
    source = textwrap.dedent(RADII.format(kind=kind, fill=fill))
    source = f"import torch\nfrom torch import nn\n\n\n{source.lstrip()}"
    found = initlint.fix(source, unsafe=True)
    if written is None:
        # INIT204 writes the loop, and the gain stays.
        assert "part in self.cell.weight_hh_l0.chunk(4)" in found.source
        assert "gate" not in found.source
        return
    lines = textwrap.indent("\n".join(written), " " * 8)
    assert found.source == source.replace(f"        {fill}", lines)
    assert initlint.fix(found.source, unsafe=True).source == found.source
    names = {}
    exec(compile(found.source, "<fixed>", "exec"), names)
    weight = names["Net"]().cell.weight_hh_l0
    for gate in weight.chunk(weight.shape[0] // 64):
        assert torch.allclose(gate @ gate.T, torch.eye(64), atol=1e-4)


TWO = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(16, 64, num_layers=2)
        self.out = nn.Linear(64, 4)
        nn.init.uniform_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_hh_l1{})

    def forward(self, x):
        return self.out(self.rnn(x)[0][-1])
"""


def test_each_call_for_the_weights_of_one_line_is_corrected():
    fixed = initlint.fix(TWO.format(""), unsafe=True)
    wanted = TWO.format("").replace("uniform_", "orthogonal_").replace("normal_", "orthogonal_")
    assert fixed.source == wanted
    one = initlint.fix(TWO.format(", std=0.1"), unsafe=True)
    assert one.source == TWO.format(", std=0.1").replace("uniform_", "orthogonal_")


def test_apply_fills_a_recurrent_weight_with_a_finding_and_by_scope_the_default():
    class Net(nn.Module):
        def __init__(self, std):
            super().__init__()
            self.rnn, self.out = nn.LSTM(32, 64), nn.Linear(64, 10)
            if std:
                nn.init.normal_(self.rnn.weight_hh_l0, std=std)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    def is_orthogonal(std, **options):
        net = Net(std)
        initlint.apply_(net, torch.zeros(5, 2, 32), seed=0, **options)
        gates = net.rnn.weight_hh_l0.chunk(4)
        return all(torch.allclose(gate @ gate.T, torch.eye(64), atol=1e-4) for gate in gates)

    assert is_orthogonal(1.0)
    assert not is_orthogonal(0.1)
    assert not is_orthogonal(None)
    assert is_orthogonal(None, scope="recommended")


def test_of_unknown_sizes_nothing_is_recommended():
    source = """
        from torch import nn
        class Net(nn.Module):
            def __init__(self, config):
                super().__init__()
                sizes = [int(size) for size in config.sizes]
                self.rnn = nn.LSTM(sizes[0], sum(sizes))
                nn.init.uniform_(self.rnn.weight_hh_l0)
            def forward(self, x):
                return self.rnn(x)[0]
    """
    layers = {x.parameter: x for x in initlint.check(textwrap.dedent(source)).layers}
    assert layers["rnn.weight_hh_l0"].recommended is None
