"""transformers' hook fills what a model of its holds; base classes that are not read may, too."""

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn
from {home} import PreTrainedModel


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(256, 256)
        self.out = nn.Linear(256, 10)

    def forward(self, x):
        return self.out(torch.tanh(self.dense(x)))


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(256))

    def forward(self, x):
        return x * self.weight


class Base(PreTrainedModel):
    {hook}


class Model(Base):
    def __init__(self, config):
        super().__init__(config)
        self.norm = Norm()
        self.head = Head()
        self.words = nn.Embedding(10, 256, padding_idx=0)
        self.post_init()

    def forward(self, input_ids=None):
        if input_ids is None:
            raise ValueError("no input")
        return self.head(self.norm(self.words(input_ids)))
"""
HOOK = """def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight)
        elif isinstance(module, Norm):
            module.weight.data.fill_(1.0)
        {rest}
"""
HOMES = ["transformers", "...modeling_utils", "transformers.modeling_utils"]


def report(folder, text, **options):
    (folder / "net.py").write_text(text)
    return api.check_all(["net.py"], api.Options(parameters=True, **options))


def last(found):
    """The last write to each parameter of Model: name of the initialiser, mean."""
    mine = [p for p in found.parameters if p.model == "Model"]
    return {p.name: (p.history[-1].name, p.history[-1].mean) for p in mine}


@pytest.mark.parametrize("home", HOMES)
def test_a_model_is_filled_by_its_own_hook(home, folder):
    found = report(folder, HEAD.format(home=home, hook=HOOK.format(rest="")))
    held = last(found)
    assert held["head.dense.weight"] == ("orthogonal_", 0.0)
    assert held["norm.weight"] == ("constant_", 1.0)
    assert held["head.dense.bias"][0] == "uniform_"
    assert held["words.weight"] == ("normal_", 0.0)
    assert not found.unanalysed and {x.model for x in found.layers} == {"Model"}


def test_a_line_of_the_hook_is_named(folder):
    found = report(folder, HEAD.format(home="transformers", hook=HOOK.format(rest="")))
    lines = (folder / "net.py").read_text().splitlines()
    (dense,) = [p for p in found.parameters if p.name == "head.dense.weight"]
    assert "orthogonal_" in lines[dense.history[-1].site.line - 1]


def test_the_hook_of_the_base_class_is_known(folder):
    rest = "else:\n            super()._init_weights(module)"
    found = report(folder, HEAD.format(home="transformers", hook=HOOK.format(rest=rest)))
    (words,) = [p for p in found.parameters if p.name == "words.weight"]
    assert words.history[-1].by == "user" and words.history[-1].part
    assert (
        "super()" in (folder / "net.py").read_text().splitlines()[words.history[-1].site.line - 1]
    )
    assert last(found)["head.dense.weight"][0] == "orthogonal_"


def test_without_a_hook_of_its_own_a_model_has_that_of_the_base_class(folder):
    found = report(folder, HEAD.format(home="transformers", hook="pass"))
    held = last(found)
    assert held["head.dense.bias"] == ("zeros_", 0.0)
    assert held["norm.weight"] == ("uniform_", 0.5)


def test_a_part_that_is_such_a_model_has_its_own_hook_and_keeps_it(folder):
    outer = """

class Outer(PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.inner = Model(config)
        self.score = nn.Linear(10, 10)
        self.post_init()

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)

    def forward(self, x):
        return self.score(self.inner(x))
"""
    text = HEAD.format(home="transformers", hook=HOOK.format(rest="")) + outer
    found = report(folder, text)
    held = {p.name: p.history[-1].name for p in found.parameters if p.model == "Outer"}
    assert held["inner.head.dense.weight"] == "orthogonal_"
    assert held["score.weight"] == "zeros_"


def test_the_hook_runs_without_gradients(folder):
    rest = "if hasattr(module, 'words'):\n            module.words.weight.zero_()"
    found = report(folder, HEAD.format(home="transformers", hook=HOOK.format(rest=rest)))
    assert "INIT007" not in {finding.code for finding in found.findings}
    assert last(found)["words.weight"][1] == 0.0


def test_a_model_that_calls_no_hook_keeps_what_its_layers_draw(folder):
    text = HEAD.format(home="transformers", hook=HOOK.format(rest=""))
    found = report(folder, text.replace("        self.post_init()\n", ""))
    every = [draw.name for parameter in found.parameters for draw in parameter.history]
    assert "kaiming_uniform_" in every and "orthogonal_" not in every


HOLDER = """\
import {first}
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(256, 256)
        self.b = nn.Linear(256, 256)
        self.c = nn.Linear(256, 10)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


class Holder({base}):
    def __init__(self):
        super().__init__()
        self.{held}
"""
HELD = ["net = Net()", "nets = [Net()]", 'nets = {"a": Net()}']
HARMLESS = ["object", "abc.ABC", "threading.Thread", "torch.utils.data.Dataset", "gym.Env"]


@pytest.mark.parametrize("held", HELD)
def test_a_base_class_that_is_not_read_may_fill_what_an_heir_holds(held, folder):
    found = report(folder, HOLDER.format(first="foo", base="foo.Trainer", held=held))
    assert not found.findings
    (gap,) = found.unanalysed
    assert (
        "foo.Trainer, a base class of Holder, gets it, is not read, and may fill it" in gap.reason
    )


@pytest.mark.parametrize("base", HARMLESS)
def test_other_base_classes_leave_it(base, folder):
    first = base.partition(".")[0]
    text = HOLDER.format(first=first if first != "object" else "abc", base=base, held=HELD[0])
    found = report(folder, text)
    assert {finding.code for finding in found.findings} == {"INIT101"} and not found.unanalysed


def test_what_an_heir_fills_itself_is_known(folder):
    text = HOLDER.format(first="foo", base="foo.Trainer", held=HELD[0])
    text += "        for p in self.net.parameters():\n            nn.init.normal_(p, std=1e-4)\n"
    assert {finding.code for finding in report(folder, text).findings} == {"INIT106"}


def test_a_class_whose_base_is_not_read_is_named(folder):
    text = HOLDER.format(first="foo", base="foo.Trainer", held="lin = nn.Linear(2, 2)")
    text += "\n    def forward(self, x):\n        return self.lin(x)\n"
    gaps = [gap.reason for gap in report(folder, text).unanalysed]
    assert any("its base class foo.Trainer is not read" in reason for reason in gaps)
