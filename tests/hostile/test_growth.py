"""Files of very many alike things: what is judged, planned and printed grows as the source does.

The lines of initlint that run are counted, not the seconds: for twice the source, about twice as
many.
"""

import json
import sys

import pytest

import initlint
from initlint.cli.main import main
from initlint.graph.signal_cost import cost
from initlint.recommend import outlook

pytestmark = pytest.mark.slow

HEAD = "import math\nimport torch\nfrom torch import nn\n\n"


def through(count, call="torch.relu(self.l{i}(x))"):
    return "".join(f"        x = {call.format(i=i)}\n" for i in range(count)) + "        return x\n"


def net(lines, forward, more="", name="Net"):
    return (
        f"class {name}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "".join(f"        {line}\n" for line in lines)
        + f"    def forward(self, x):\n{forward}{more}\n"
    )


def each(count, *lines):
    """These lines once for every layer of a model."""
    return [line.format(i=i) for i in range(count) for line in lines]


def of_layers(*lines, more=""):
    """A model of layers in a chain, with these lines for each."""
    return lambda n: HEAD + net(each(n, "self.l{i} = nn.Linear(8, 8)", *lines), through(n), more)


WALK = (
    "    def fill(self, m):\n        if isinstance(m, (nn.Linear, nn.LayerNorm)):\n"
    "            nn.init.normal_(m.weight, 0, 0.5)\n            nn.init.zeros_(m.bias)\n"
)


def walked(*lines, layer="nn.Linear(8, 8)", walk=WALK):
    """A model whose `apply` fills what the lines have filled before it."""
    return lambda n: (
        HEAD
        + net(
            [*each(n, f"self.l{{i}} = {layer}", *lines), "self.apply(self.fill)"], through(n), walk
        )
    )


def ladder(count):
    tests = "".join(
        f"        elif isinstance(m, nn.Linear) and m.k == {i}:\n            std = {i}.0\n"
        for i in range(count)
    )
    fill = (
        "    def fill(self, m):\n        std = 0.1\n        if m is None:\n            pass\n"
        f"{tests}        nn.init.normal_(m.weight, 0, std)\n"
    )
    layers = each(4, "self.l{i} = nn.Linear(8, 8)")
    return HEAD + net([*layers, "self.apply(self.fill)"], through(4), fill)


def sequential(count):
    return HEAD + "m = nn.Sequential(\n" + "    nn.Linear(8, 8), nn.ReLU(),\n" * count + ")\n"


def constructors(count):
    """Classes that each call a function of one name at their end."""
    fill = "    def fill(self, m):\n        nn.init.normal_(m.weight, 0, 3.0)\n"
    lines = ["self.l0 = nn.Linear(8, 8)", "self.l1 = nn.Linear(8, 8)", "self.fill(self.l1)"]
    return HEAD + "".join(net(lines, through(2), fill, f"Net{i}") for i in range(count))


SERIES = {
    "layers that are drawn twice": of_layers(
        "nn.init.xavier_normal_(self.l{i}.weight)", "nn.init.kaiming_normal_(self.l{i}.weight)"
    ),
    "layers drawn twice by one line": walked(
        walk=WALK.replace("0.5)\n", "0.5)\n            nn.init.normal_(m.weight, 0, 0.5)\n")
    ),
    "biases that a walk overwrites": walked("nn.init.constant_(self.l{i}.bias, {i}.5)"),
    "weights that are loaded and drawn again": walked(
        "self.l{i}.load_state_dict(torch.load('l{i}'))"
    ),
    "gains that are all zero": walked(
        layer="nn.LayerNorm(8)", walk=WALK.replace("normal_(m.weight, 0, 0.5)", "zeros_(m.weight)")
    ),
    "gates of recurrent layers": lambda n: (
        HEAD
        + net(
            each(
                n,
                "self.l{i} = nn.LSTM(8, 8, num_layers=2)",
                "self.l{i}.bias_ih_l0.data[8:16].fill_(1.0)",
            ),
            through(n, "self.l{i}(x)[0]"),
        )
    ),
    "scales from the wrong side": lambda n: (
        HEAD
        + net(
            each(n, "self.l{i} = nn.Parameter(torch.randn(8, 16) / math.sqrt(16))"),
            through(n, "torch.relu(x @ self.l{i})"),
        )
    ),
    "layers of one Sequential": sequential,
    "an elif for each number": ladder,
    "classes that fill at their end": constructors,
    "classes with a finding each": lambda n: (
        HEAD
        + "".join(
            net(each(2, "self.l{i} = nn.Linear(8, 8)"), through(2), name=f"Net{i}")
            for i in range(n)
        )
    ),
}


def lines_of(work):
    """How many lines run while `work` does."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(outer)
    return count


@pytest.mark.parametrize("source", SERIES.values(), ids=SERIES)
def test_a_check_grows_as_the_source_does(source):
    def work(count):
        return str(initlint.check(source(count), select="ALL"))

    work(2)
    few, many = (lines_of(lambda count=count: work(count)) for count in (30, 60))
    assert many < 2.3 * few


LOOP = """\
class Net{i}(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(200)])

    def forward(self, x):
        return self.s(x)

"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_signal_of_so_many_operations_is_predicted_and_the_rest_named(
    jobs, tmp_path, monkeypatch, capsys
):
    """A short loop makes a long model, and the signal of each activation takes half a ms."""
    predicted = []
    found = outlook.predicted
    monkeypatch.setattr(
        outlook, "predicted", lambda ops, given: predicted.append(cost(ops)) or found(ops, given)
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(HEAD + "".join(LOOP.format(i=i) for i in range(12)))
    main(["check", "--no-cache", "-j", jobs, "--output-format", "json", "net.py"])
    report = json.loads(capsys.readouterr().out)
    judged = {finding["model"] for finding in report["findings"]}
    named = {gap["target"].rpartition(":")[2] for gap in report["unanalysed"]}
    assert judged == {"Net0", "Net1", "Net2", "Net3"}
    assert named == {f"Net{i}" for i in range(4, 12)}
    # Of 0.05 ms each.
    assert sum(predicted) < 30_000
    # All else is known of the others, too.
    assert {layer["model"] for layer in report["layers"]} == judged | named


# One call of each, in a row, costs a multiple of what a linear layer costs.
COSTLY = {
    "activations": "F.gelu(layer(x))",
    "streams": "F.gelu(x + layer(x))",
    "pools": "F.max_pool2d(F.gelu(layer(x)), 3)",
    "dense": "torch.cat([x, F.relu(layer(x))], 1)",
    "recurrent": "self.r(torch.relu(layer(x)))[0]",
}


@pytest.mark.parametrize("step", COSTLY.values(), ids=COSTLY)
def test_predictions_of_every_kind_are_charged_by_their_cost(step, monkeypatch):
    """More layers than can be predicted: fewer of what takes longer are, and none without end."""
    charged = []
    found = outlook.predicted
    monkeypatch.setattr(
        outlook, "predicted", lambda ops, given: charged.append(cost(ops)) or found(ops, given)
    )
    models = [
        net(
            [
                f"self.s = nn.ModuleList([nn.Linear(8, 8) for _ in range({n})])",
                "self.r = nn.LSTM(8, 8, 2)",
                "self.t, self.u = nn.Linear(8, 8), nn.Linear(8, 8)",
            ],
            f"        for layer in self.s:\n            x = {step}\n"
            "        return torch.relu(self.u(torch.relu(self.t(x))))\n",
            name=f"Net{n}",
        )
        for n in (20, 320, 640, 1280)
    ]
    report = initlint.check(HEAD + "import torch.nn.functional as F\n" + "".join(models))
    assert sum(charged) < 30_000
    judged = {layer.model for layer in report.layers if layer.signal is not None}
    named = {gap.target.rpartition(":")[2] for gap in report.unanalysed}
    assert "Net20" in judged and "Net1280" in named
    assert judged | named == {"Net20", "Net320", "Net640", "Net1280"}


GPT = """
import torch
from torch import nn
import torch.nn.functional as F

class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.MultiheadAttention(d, 8, batch_first=True)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        y = self.n1(x)
        x = x + self.attn(y, y, y)[0]
        return x + self.down(F.gelu(self.up(self.n2(x))))

class GPT(nn.Module):
    def __init__(self, d=512):
        super().__init__()
        self.table = nn.Embedding(1000, d)
        self.blocks = nn.ModuleList([Block(d) for _ in range(96)])
        self.head = nn.Sequential(*[nn.Sequential(nn.Linear(d, d), nn.ReLU()) for _ in range(8)])

    def forward(self, i):
        x = self.table(i)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
"""


def test_a_short_file_of_a_deep_transformer_is_judged():
    report = initlint.check(GPT)
    assert not report.unanalysed
    assert {finding.code for finding in report.findings} >= {"INIT101"}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_needs_no_signal_is_found_where_it_is_too_much(jobs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = "    def reset(self):\n        pass\n"
    lines = [
        "self.lost = nn.Parameter(torch.empty(8))",
        "self.s = nn.Sequential(*[nn.Linear(8, 8) if i % 2 else nn.ReLU() for i in range(2600)])",
    ]
    source = (
        HEAD
        + "".join(LOOP.format(i=i) for i in range(12))
        + net(lines, "        return self.s(x) * self.lost\n", more, name="Long")
    )
    (tmp_path / "net.py").write_text(source)
    main(["check", "--no-cache", "-j", jobs, "--output-format", "json", "net.py"])
    report = json.loads(capsys.readouterr().out)
    assert ("INIT001", "Long") in {(f["code"], f["model"]) for f in report["findings"]}
    (gap,) = [gap for gap in report["unanalysed"] if gap["target"].endswith("Long")]
    assert "scales are not judged" in gap["reason"]


def test_a_table_says_nothing_wrong_of_a_signal_that_was_not_predicted(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(HEAD + "".join(LOOP.format(i=i) for i in range(6)))
    main(["check", "--no-cache", "--show-layers", "net.py"])
    assert "close enough" not in capsys.readouterr().out


def test_the_edits_of_a_report_are_made_from_one_tree_of_each_statement(
    tmp_path, monkeypatch, capsys
):
    import libcst

    parsed = []
    parse = libcst.parse_module
    monkeypatch.setattr(libcst, "parse_module", lambda text: parsed.append(text) or parse(text))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(sequential(30))
    main(["check", "--no-cache", "--output-format", "json", "net.py"])
    fixes = [each["fix"] for each in json.loads(capsys.readouterr().out)["findings"]]
    assert len(fixes) > 20 and all(fix["edits"] for fix in fixes)
    assert len(parsed) <= 2


def test_no_more_of_a_file_is_printed_for_its_edits_than_the_limit(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(sequential(120))
    main(["check", "--no-cache", "--output-format", "json", "net.py"])
    fixes = [each["fix"] for each in json.loads(capsys.readouterr().out)["findings"]]
    with_edits = [fix for fix in fixes if fix["edits"]]
    assert 20 < len(with_edits) < len(fixes)
