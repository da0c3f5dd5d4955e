"""Files that make thousands of models, train them and hand them on: all of it is charged."""

from pathlib import Path

import pytest

import initlint
from initlint.reading import read
from initlint.recommend import outlook
from initlint.records import Layer

NET = """\
import foo
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, k=3):
        super().__init__()
        self.f = nn.Linear(8, 8)
        self.g = nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.g(torch.relu(self.f(x))))

net = nn.Sequential(*[Net() for _ in range(20)])
weights = [p for p in net.parameters()]
x = torch.randn(4, 8)
"""
# What each line goes through: the modules of the model, its parameters, or both.
LINES = {
    "handed to an optimiser": ("torch.optim.SGD(weights, 0.1)", 80),
    "trained by a backward pass": ("net(x).sum().backward()", 80),
    "trained by a framework": ("pytorch_lightning.Trainer().fit(net)", 120),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def spent(source):
    Path("net.py").write_text(source)
    return read(["net.py"]).spent


@pytest.mark.parametrize("line, least", LINES.values(), ids=LINES)
def test_charged(line, least):
    imports = "import pytorch_lightning\n"
    few, many = (spent(imports + NET + f"{line}\n" * count) for count in (10, 20))
    assert many - few >= 10 * least


def test_an_optimiser_looks_at_its_own_models_alone(monkeypatch):
    looked = []
    from initlint.reading.models import life

    asked = life.Life._births_of
    monkeypatch.setattr(
        life.Life, "_births_of", lambda self, slot: looked.append(slot) or asked(self, slot)
    )
    lines = (f"n{i} = Net()\ntorch.optim.SGD(n{i}.parameters(), 0.1)\n" for i in range(200))
    spent(NET + "".join(lines))
    assert 0 < len(looked) <= 200 * 4


def test_the_signal_of_equal_models_is_predicted_once(monkeypatch):
    found = []
    predicted = outlook.predicted
    monkeypatch.setattr(outlook, "predicted", lambda *a: found.append(a) or predicted(*a))
    Path("net.py").write_text(NET + "".join(f"n{i} = Net({i})\n" for i in range(300)))
    report = initlint.check("net.py")
    assert [finding.code for finding in report.findings] == ["INIT101", "INIT101"]
    # As it is and as recommended, of the list and of the class.
    assert len(found) <= 4


def test_layers_of_one_line_are_not_compared_with_each_other(monkeypatch):
    compared = []
    monkeypatch.setattr(Layer, "__eq__", lambda self, other: compared.append(self) or self is other)
    kinds = ("relu", "tanh")
    uses = "".join(f"        x = torch.{kinds[i % 2]}(self.l{i}(x))\n" for i in range(300))
    Path("net.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "def linear():\n    return nn.Linear(8, 8)\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "".join(f"        self.l{i} = linear()\n" for i in range(300))
        + "    def forward(self, x):\n"
        + uses
        + "        return x\n"
    )
    assert initlint.check("net.py").findings
    assert len(compared) < 300
