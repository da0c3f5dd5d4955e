"""The second half of every tutorial: make the model, then initialise it; in both engines."""

import importlib.util
import json
import subprocess
import sys

import pytest

import initlint

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch"),
]

HEAD = """import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 16)
        self.fc3 = nn.Linear(16, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.log_softmax(self.fc3(x), dim=1)


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.xavier_uniform_(m.weight)
        m.bias.data.fill_(0.01)

"""
TOP = """
net = Net()
net.apply(init_weights)
nn.init.xavier_normal_(net.fc3.weight)
"""
MAIN = """
def main():
    net = Net()
    net.apply(init_weights)
    nn.init.xavier_normal_(net.fc3.weight)
    return net


if __name__ == "__main__":
    main()
"""
AGENT = """
class Agent:
    def __init__(self):
        self.net = Net()
        self.net.apply(init_weights)
        nn.init.xavier_normal_(self.net.fc3.weight)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
"""
LIVING_AGENT = AGENT + "\n\nagent = Agent()\n"
PLACES = {"top": TOP, "main": MAIN, "agent": AGENT, "living_agent": LIVING_AGENT}


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize("place", PLACES)
def test_every_weight_has_the_draw_that_the_program_gives_it(tmp_path, monkeypatch, place, trace):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(HEAD + PLACES[place])
    report = initlint.check("net.py", trace=trace)
    assert [(x.layer, x.current.name, x.current.default) for x in report.layers] == [
        ("fc1", "xavier_uniform_", False),
        ("fc2", "xavier_uniform_", False),
        ("fc3", "xavier_normal_", False),
    ]
    assert not report.findings
    assert not report.unanalysed


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize("place", PLACES)
def test_a_wrong_callback_is_corrected_where_it_is_written(tmp_path, monkeypatch, place, trace):
    monkeypatch.chdir(tmp_path)
    text = (HEAD + PLACES[place]).replace("xavier_uniform_(m.weight)", "normal_(m.weight, 0, 0.5)")
    path = tmp_path / "net.py"
    path.write_text(text)
    report = initlint.check("net.py", trace=trace)
    assert {(f.code, f.layer) for f in report.findings} == {("INIT106", "fc1"), ("INIT106", "fc2")}
    run(["check", "--fix", "--unsafe-fixes", "net.py", *(["--trace"] if trace else [])])
    wanted = 'kaiming_normal_(m.weight, mode="fan_in", nonlinearity="relu")'
    assert path.read_text() == text.replace("normal_(m.weight, 0, 0.5)", wanted)
    assert not initlint.check("net.py", trace=trace).findings


@pytest.mark.parametrize("trace", [False, True], ids=["read", "traced"])
@pytest.mark.parametrize("place", PLACES)
def test_the_call_on_one_layer_is_corrected_in_place(tmp_path, monkeypatch, place, trace):
    monkeypatch.chdir(tmp_path)
    text = HEAD + PLACES[place]
    text = text.replace("net.fc3.weight)", "net.fc2.weight, gain=0.3)")
    path = tmp_path / "net.py"
    path.write_text(text)
    report = initlint.check("net.py", trace=trace)
    assert [(f.code, f.layer) for f in report.findings] == [("INIT102", "fc2")]
    assert report.findings[0].site.line == 10
    run(["check", "--fix", "net.py", *(["--trace"] if trace else [])])
    fixed = path.read_text()
    assert len(fixed.splitlines()) == len(text.splitlines())
    assert 'net.fc2.weight, mode="fan_in", nonlinearity="relu")' in fixed
    assert not initlint.check("net.py", trace=trace).findings


def test_a_notebook_is_one_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "net.ipynb", HEAD + TOP)
    report = initlint.check("net.ipynb")
    assert [x.current.name for x in report.layers] == [
        "xavier_uniform_",
        "xavier_uniform_",
        "xavier_normal_",
    ]
    assert not report.findings


def test_a_notebooks_callback_is_corrected_in_its_cell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.ipynb"
    write_notebook(
        path, (HEAD + TOP).replace("xavier_uniform_(m.weight", "normal_(m.weight, 0, .5")
    )
    before = path.read_text()
    run(["check", "--fix", "--unsafe-fixes", "net.ipynb"])
    wanted = r"kaiming_normal_(m.weight, mode=\"fan_in\", nonlinearity=\"relu\")"
    assert path.read_text() == before.replace("normal_(m.weight, 0, .5)", wanted)


def test_show_layers_prints_the_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(HEAD + TOP)
    for options in ([], ["--trace"]):
        done = run(["check", "--show-layers", "net.py", *options])
        assert done.returncode == 0
        assert done.stdout.count("xavier_uniform_") == 2
        assert "default" not in done.stdout


def write_notebook(path, text):
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": cell.strip("\n").splitlines(keepends=True),
        }
        for cell in text.split("\n\n\n")
    ]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book, indent=1))


def run(arguments):
    command = [sys.executable, "-m", "initlint", *arguments, "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True)
