"""INIT003: tests of init functions that nothing in the model satisfies."""

import pytest

from initlint import api

NET = """\
import torch
from torch import nn


class Linear(nn.Linear):
    pass


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.out = Linear(8, 8)

    def forward(self, x):
        return self.out(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.token = nn.Parameter(torch.zeros(8))
{body}
    def forward(self, x):
        x = self.norm(self.stem(x + self.token))
        for block in self.blocks:
            x = block(x)
        return x


{after}
"""
FILL = "nn.init.normal_({}, std=0.3)"
WEIGHT, SELF = FILL.format("m.weight"), FILL.format("m")


def found(tmp_path, body="", after="", codes=("INIT003",)):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    (tmp_path / "net.py").write_text(NET.format(body=lines, after=after))
    report = api.check_all([str(tmp_path / "net.py")], api.Options(codes=frozenset(codes)))
    assert not report.unanalysed and report.layers
    return report.findings


def loop(each, test, fill=WEIGHT):
    """A loop that fills what satisfies a test."""
    return f"for {each}:\n    if {test}:\n        {fill}"


def names(test):
    """A loop over parameters that fills those of certain names."""
    return loop("n, p in self.named_parameters()", test, FILL.format("p"))


MODULES = "m in self.modules()"
NEVER = {
    "only the outer children": loop("m in self.blocks", "isinstance(m, nn.Linear)"),
    "containers of the loop": loop("m in self._modules.values()", "isinstance(m, nn.Conv2d)"),
    "one of two classes": loop("m in self.children()", "isinstance(m, (nn.LayerNorm, nn.Conv2d))")
    + "\nself.deep = nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 3)))\n"
    + loop("m in self.children()", "isinstance(m, (nn.LayerNorm, nn.Conv2d))", WEIGHT),
    "names of modules": loop("m in self._modules", "isinstance(m, nn.Linear)"),
    "pairs": loop("m in self.named_modules()", "isinstance(m, nn.Linear)"),
    "pairs of children": loop("m in self.named_children()", "type(m) is Linear"),
    "parameters": loop("m in self.parameters()", "isinstance(m, nn.Linear)"),
    "parameters among modules": loop(MODULES, "isinstance(m, nn.Parameter)", SELF),
    "tensors among modules": loop(MODULES, "isinstance(m, torch.Tensor)", SELF),
    "an exact name": names("n == 'out.weight'"),
    "one of some names": names("n in ('fc.weight', 'fc.bias')"),
    "the beginning of a name": names("n.startswith('out.')"),
    "a misspelt name": names("'weigth' in n"),
    "the plural of a name": names("n.endswith('out.weights')"),
    "the plural of a name in a part": names("'.fc.biases' in n"),
    "an exact class name": loop(MODULES, "m.__class__.__name__ == 'Norm'"),
    "small letters": loop(MODULES, "type(m).__name__.find('linear') != -1"),
    "a class against a text": loop(MODULES, "type(m) == 'Linear'"),
    "a module against a class": loop(MODULES, "m == nn.Linear"),
    "a misspelt attribute": loop(MODULES, "hasattr(m, 'wieght')"),
    "no test of the loop": loop(MODULES, "isinstance(m, nn.Conv2d)")
    + f"\n    elif isinstance(m, nn.BatchNorm2d):\n        {WEIGHT}",
    "a dot too many": loop("n, m in self.named_modules()", "n.endswith('.stem')"),
    "a name of a recurrent layer": "self.rnn = nn.LSTM(8, 8)\n"
    + loop("n, p in self.rnn.named_parameters()", "n == 'bias'", FILL.format("p")),
    "dimensions": loop("p in self.parameters()", "p.dim() > 3", FILL.format("p")),
    "dimensions by name": names("p.ndim > 3"),
    "a std for some": "for n, m in self.named_modules():\n    std = 0.3\n"
    "    if n.startswith('out'):\n        std = 0.1\n"
    "    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight, std=std)",
    "a block inside": loop(
        "m in self.children()", "isinstance(m, Block)", "nn.init.zeros_(m.out.weight)"
    ),
    "a negated test": loop("m in self.children()", "not isinstance(m, nn.Conv2d)", "continue")
    + f"\n    {WEIGHT}",
}
SOMETHING = {
    "all modules": loop(MODULES, "isinstance(m, nn.Linear)"),
    "subclasses": loop(MODULES, "type(m) is Linear"),
    "the end of a name": names("n.endswith('out.weight')"),
    "a plural that there is": "self.stem.weights = nn.Parameter(torch.zeros(8))\n"
    + names("n.endswith('stem.weights')"),
    "a plural of a layer that others have": names("n.endswith('proj.weights')"),
    "a plural that others have": names("n.endswith('weights')"),
    "the plural of another layer's end": names("n.endswith('fort.weights')"),
    "a full name": names("n == 'blocks.0.out.weight'"),
    "a part of a class name": loop(MODULES, "'Linear' in type(m).__name__"),
    "layers that others have": loop(MODULES, "isinstance(m, nn.Conv2d)")
    + f"\n    elif isinstance(m, nn.Linear):\n        {WEIGHT}",
    "a test that fills nothing": loop(
        "m in self.children()", "isinstance(m, nn.Conv2d)", "m.padding = 3"
    ),
    "a norm that others have": loop(MODULES, "isinstance(m, nn.Linear)")
    + f"\n    if isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):\n        {WEIGHT}",
    "two loops": loop("m in self.blocks.modules()", "isinstance(m, nn.Linear)")
    + "\n"
    + loop("m in self.blocks", "isinstance(m, nn.Linear)"),
    "dimensions": names("p.dim() > 1"),
    "dimensions that others have": loop("p in self.parameters()", "p.dim() > 3", FILL.format("p"))
    + f"\n    elif p.dim() == 2:\n        {FILL.format('p')}",
    "a number that fills nothing": "for n, m in self.named_modules():\n    depth = 3\n"
    "    if n.startswith('out'):\n        depth = 1\n    m.depth = depth",
}


@pytest.mark.parametrize("body", NEVER.values(), ids=NEVER)
def test_what_nothing_satisfies_is_reported(tmp_path, body):
    assert [finding.code for finding in found(tmp_path, body)] == ["INIT003"]


@pytest.mark.parametrize("body", SOMETHING.values(), ids=SOMETHING)
def test_what_something_satisfies_is_not(tmp_path, body):
    assert found(tmp_path, body) == ()


CALLBACK = """
def fill(m):
    if isinstance(m, {}):
        nn.init.normal_(m{}, std=0.3)
"""


@pytest.mark.parametrize("made", ["Net().apply(fill)", "net = Net()\nnet.apply(fill)"])
def test_callbacks_from_outside(tmp_path, made):
    never = CALLBACK.format("nn.Parameter", "") + made
    assert [f.code for f in found(tmp_path, after=never)] == ["INIT003"]
    assert found(tmp_path, after=CALLBACK.format("nn.Linear", ".weight") + made) == ()


def test_a_callback_that_is_called_with_a_parameter_elsewhere(tmp_path):
    body = "fill(self.token)\nself.apply(fill)"
    after = CALLBACK.format("nn.Parameter", "")
    assert found(tmp_path, body, after) == ()


def test_a_helper_that_gives_the_class_back(tmp_path):
    after = "def kind(m):\n    return m.__class__\n"
    body = loop(MODULES, "kind(m) == 'Linear'")
    assert [f.code for f in found(tmp_path, body, after)] == ["INIT003"]
    assert found(tmp_path, body, after.replace("__class__", "__class__.__name__")) == ()


def test_what_another_model_satisfies(tmp_path):
    after = """
class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.apply(fill)

    def forward(self, x):
        return self.conv(x)
"""
    callback = CALLBACK.format("nn.Conv2d", ".weight")
    assert found(tmp_path, "self.apply(fill)", callback + after) == ()
    assert found(tmp_path, "self.apply(fill)", callback) != ()


LAZY = """\
import torch
from torch import nn


def start(m):
    if {test}:
        nn.init.xavier_uniform_(m.weight)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, 3), nn.ReLU(), nn.LazyConv2d(6, 3), nn.ReLU(),
            nn.Flatten(), nn.LazyLinear(10))

    def forward(self, x):
        return self.net(x)

    def begin(self, inputs, init):
        self.forward(*inputs)
        self.net.apply(init)


def main(data):
    model, x = Net(), next(iter(data))[0]
    {run}
    model.apply(start)
    torch.optim.SGD(model.parameters(), lr=1.0)
"""
RUNS = [
    "model(x)",
    "model(torch.zeros(1, 1, 28, 28))",
    "model.forward(x)",
    "_ = model.net(x)",
    "model.begin([x], start)",
    "for layer in model.net: x = layer(x)",
]
EXACT = ["type(m) == nn.Linear", "type(m) in (nn.Conv2d, nn.Linear)", "m.__class__ is nn.Conv2d"]
NAMED = ["m.__class__.__name__ == 'Conv2d'", "type(m).__name__ in ('Conv2d', 'Linear')"]


def of_lazy(tmp_path, test, run):
    (tmp_path / "lazy.py").write_text(LAZY.format(test=test, run=run))
    return api.check_all([str(tmp_path / "lazy.py")], api.Options(codes=frozenset(["INIT003"])))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("test", [*EXACT, *NAMED])
def test_lazy_layers_that_have_got_data_are_of_the_class_that_they_became(tmp_path, test, run):
    assert not of_lazy(tmp_path, test, run).findings


@pytest.mark.parametrize("run", ["pass", "model.eval()", "print(model)", "len(model.net)"])
@pytest.mark.parametrize("test", EXACT)
def test_lazy_layers_without_data_are_not(tmp_path, test, run):
    assert of_lazy(tmp_path, test, run).findings


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_a_lazy_layer_any_more(tmp_path, run):
    (finding,) = of_lazy(tmp_path, "type(m) == nn.LazyLinear", run).findings
    assert "holds for none" in finding.message
