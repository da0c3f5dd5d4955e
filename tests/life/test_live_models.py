"""`--trace file.py`: the live models that a file's top level leaves, with all that was done."""

import pytest

import initlint
from initlint.cli.main import main

pytestmark = pytest.mark.torch


NET = """import copy

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n=64):
        super().__init__()
        self.a = nn.Linear(n, n)
        self.b = nn.Linear(n, n)
        self.c = nn.Linear(n, 2)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))

"""
WIDE = "nn.init.kaiming_normal_({}.weight, nonlinearity='relu')\n"


def traced(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET + text)
    return initlint.check("net.py", trace=True)


def found(report):
    return [(f.code, f.layer) for f in report.findings]


@pytest.mark.parametrize(
    "held",
    [
        "net = Net()",
        "models = [Net()]\nnet = models[0]",
        "models = {'q': Net()}\nnet = models['q']",
        "class Agent: pass\nagent = Agent()\nagent.q = net = Net()",
    ],
    ids=["variable", "list", "table", "object"],
)
def test_a_live_model_is_judged_as_it_was_filled(tmp_path, monkeypatch, held):
    fill = "".join(WIDE.format(f"net.{name}") for name in "abc")
    report = traced(tmp_path, monkeypatch, f"{held}\n{fill}")
    assert not report.findings
    assert {x.current.name for x in report.layers} == {"kaiming_normal_"}
    assert {x.model for x in report.layers} == {"net.py:Net"}


def test_a_class_is_built_alone_where_nothing_live_is_left(tmp_path, monkeypatch):
    report = traced(tmp_path, monkeypatch, "Net()(torch.zeros(1, 64))\n")
    assert ("INIT101", "b") in found(report)


def test_under_main_nothing_runs(tmp_path, monkeypatch):
    text = 'if __name__ == "__main__":\n    raise SystemExit(3)\n'
    assert not traced(tmp_path, monkeypatch, text).unanalysed


def test_two_births_of_one_class_that_differ_are_both_judged(tmp_path, monkeypatch):
    text = "small = Net()\nbig = Net(96)\n"
    text += WIDE.format("small.b") + WIDE.format("small.a")
    report = traced(tmp_path, monkeypatch, text)
    shapes = {(x.model, x.shape) for x in report.layers if x.layer == "b"}
    assert shapes == {("net.py:Net", (64, 64)), ("net.py:big", (96, 96))}
    assert {f.model for f in report.findings if f.layer == "b"} == {"net.py:big"}


def test_a_copy_that_nothing_fills_is_what_it_is_a_copy_of(tmp_path, monkeypatch):
    report = traced(tmp_path, monkeypatch, "net = Net()\ntarget = copy.deepcopy(net)\n")
    assert len(report.layers) == 3


def test_a_part_of_another_model_is_no_model(tmp_path, monkeypatch):
    text = "net = Net()\nwhole = nn.Sequential(net, nn.ReLU())\n"
    report = traced(tmp_path, monkeypatch, text)
    assert {x.layer for x in report.layers} == {"0.a", "0.b", "0.c"}
    assert {x.model for x in report.layers} == {"net.py:whole"}


def test_a_loss_is_no_model(tmp_path, monkeypatch):
    report = traced(tmp_path, monkeypatch, "net = Net()\nloss = nn.CrossEntropyLoss()\n")
    assert {x.model for x in report.layers} == {"net.py:Net"}


def test_wrappers_of_torch_are_looked_through(tmp_path, monkeypatch):
    report = traced(tmp_path, monkeypatch, "net = nn.DataParallel(Net())\n")
    assert {x.layer for x in report.layers} == {"a", "b", "c"}


def test_what_training_does_is_no_initialisation(tmp_path, monkeypatch):
    text = """net = Net()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(2):
    net(torch.randn(4, 64)).sum().backward()
    optimizer.step()
    for p in net.parameters():
        p.data.clamp_(-0.01, 0.01)
"""
    report = traced(tmp_path, monkeypatch, text)
    assert all(x.current.default for x in report.layers)
    assert ("INIT101", "b") in found(report)


def test_what_functions_fill_is_taken_from_reading(tmp_path, monkeypatch):
    fill = "".join("    " + WIDE.format(f"net.{name}") for name in "abc")
    text = f"def main():\n    net = Net()\n{fill}    return net\n"
    report = traced(tmp_path, monkeypatch, text)
    assert not report.findings
    assert {x.current.name for x in report.layers} == {"kaiming_normal_"}


RAISING = NET.replace("super().__init__()", "super().__init__()\n        raise ValueError('no')")


@pytest.mark.parametrize("made", ["", "net = Net()\n"], ids=["alone", "at the top level"])
def test_a_constructor_that_raises_is_an_error_of_its_own(tmp_path, monkeypatch, capfd, made):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(RAISING + made)
    assert main(["check", "--trace", "net.py", "--no-cache"]) == 2
    out, err = capfd.readouterr()
    assert "No findings" not in out + err
    (line,) = err.splitlines()
    assert line.startswith("initlint: error: net.py:10: ")
    assert "ValueError: no" in line


def test_other_files_are_still_judged(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(RAISING)
    (tmp_path / "other.py").write_text(NET)
    assert main(["check", "--trace", "net.py", "other.py", "--no-cache"]) == 2
    out, err = capfd.readouterr()
    assert "other.py:11:18: INIT101" in out
    assert "net.py:10: ValueError: no" in err


HOSTILE = """
class Liar(nn.Module):
    def parameters(self, recurse=True):
        raise RuntimeError("no")

    def modules(self):
        raise RuntimeError("no")


class Odd(list):
    def __iter__(self):
        raise RuntimeError("no")

    def __getitem__(self, index):
        raise RuntimeError("no")


class Closed:
    __slots__ = ()

    def __getattr__(self, name):
        raise RuntimeError("no")


liar, odd, closed, net = Liar(), Odd([Net()]), Closed(), Net()
"""


def test_objects_that_raise_do_not_hide_the_models(tmp_path, monkeypatch):
    report = traced(tmp_path, monkeypatch, HOSTILE)
    assert ("INIT101", "b") in found(report)
    assert not [gap for gap in report.unanalysed if "cannot be built" in gap.reason]
