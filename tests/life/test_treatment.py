"""What code does to a model after it is made, in the order in which it runs."""

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 64, 3)
        self.norm = nn.BatchNorm2d(64)
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        x = self.norm(self.conv(x)).mean((2, 3))
        return self.c(F.relu(self.b(F.relu(self.a(x)))))

net = Net()
"""
LOOPS = {
    "modules": "for m in net.modules():\n    if isinstance(m, nn.Linear):\n        FILL(m.weight)",
    "type": "for m in net.modules():\n    if type(m) == nn.Linear:\n        FILL(m.weight)",
    "types": "for m in net.modules():\n    if type(m) in (nn.Conv2d, nn.Linear):\n"
    "        FILL(m.weight)",
    "tuple": "for m in net.modules():\n    if isinstance(m, (nn.Conv2d, nn.Linear)):\n"
    "        FILL(m.weight)",
    "class name": "def f(m):\n    name = m.__class__.__name__\n    if name.find('Linear') != -1:\n"
    "        FILL(m.weight)\nnet.apply(f)",
    "class name in": "def f(m):\n    if 'Linear' in type(m).__name__:\n        FILL(m.weight)\n"
    "net.apply(f)",
    "hasattr": "def f(m):\n    if hasattr(m, 'weight') and m.weight.dim() > 1:\n"
    "        FILL(m.weight)\nnet.apply(f)",
    "children": "for m in net.children():\n    if isinstance(m, nn.Linear):\n"
    "        FILL(m.weight)",
    "named modules": "for name, m in net.named_modules():\n    if name in ('a', 'b'):\n"
    "        FILL(m.weight)",
    "parameters": "for p in net.parameters():\n    if p.dim() > 1:\n        FILL(p)",
    "ndim": "for p in net.parameters():\n    if p.ndim > 1 and p.requires_grad:\n        FILL(p)",
    "shape": "for p in net.parameters():\n    if len(p.shape) >= 2:\n        FILL(p)",
    "named parameters": "for name, p in net.named_parameters():\n    if 'weight' in name"
    " and p.dim() > 1:\n        FILL(p)",
    "ends with": "for name, p in net.named_parameters():\n    if name.endswith('.weight')"
    " and not name.startswith('norm'):\n        FILL(p)",
    "state dict": "for name, t in net.state_dict().items():\n"
    "    if name in ('a.weight', 'b.weight'):\n        FILL(t)",
    "by attribute": "FILL(net.a.weight)\nFILL(net.b.weight)",
    "by data": "FILL(net.a.weight.data)\nFILL(net.b.weight.data)",
    "by getattr": "for name in ('a', 'b'):\n    FILL(getattr(net, name).weight)",
    "in a function": "def init_weights(model, std=1e-4):\n    for m in model.modules():\n"
    "        if isinstance(m, nn.Linear):\n            nn.init.normal_(m.weight, 0, std)\n"
    "init_weights(net)",
    "in a function within": "def init_net(model):\n    def f(m):\n"
    "        if isinstance(m, nn.Linear):\n            FILL(m.weight)\n    model.apply(f)\n"
    "    return model\nnet = init_net(net)",
    "replaced": "net.a = nn.Linear(64, 64)\nnet.b = nn.Linear(64, 64)\n"
    "for m in (net.a, net.b):\n    FILL(m.weight)",
}


def found(folder, code):
    (folder / "net.py").write_text(HEAD + code.replace("FILL(", "fill_("))
    return {(f.code, f.parameter) for f in api.check_all(["net.py"], api.Options()).findings}


FILL = "fill_ = lambda t: nn.init.normal_(t, 0.0, 1e-4)\n"


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_every_way_to_fill_is_followed(folder, loop):
    assert {code for code, _ in found(folder, FILL + loop)} == {"INIT106"}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_what_is_filled_well_is_not_reported(folder, loop):
    kaiming = "fill_ = lambda t: nn.init.kaiming_normal_(t, nonlinearity='relu')\n"
    loop = loop.replace("nn.init.normal_(m.weight, 0, std)", "fill_(m.weight)")
    assert found(folder, kaiming + loop) == set()


def test_the_last_write_counts(folder):
    kaiming = "net.apply(lambda m: nn.init.kaiming_normal_(m.weight) if m is net.a else None)\n"
    good = "for m in (net.a, net.b):\n    nn.init.kaiming_normal_(m.weight)\n"
    bad = "for m in (net.a, net.b):\n    nn.init.normal_(m.weight, 0, 1e-4)\n"
    assert found(folder, kaiming + bad + good) == set()
    assert {code for code, _ in found(folder, kaiming + good + bad)} == {"INIT106"}


def test_one_layer_after_all_others(folder):
    seed = (
        "def init_weights(m):\n    if type(m) == nn.Linear:\n"
        "        nn.init.kaiming_normal_(m.weight, nonlinearity='relu')\n"
        "        m.bias.data.fill_(0)\n"
        "net.apply(init_weights)\nnn.init.xavier_normal_(net.b.weight, gain=0.01)\n"
    )
    assert found(folder, seed) == {("INIT102", "b.weight")}


def test_what_is_written_after_training_is_no_initialisation(folder):
    train = (
        "opt = torch.optim.SGD(net.parameters(), 0.1)\n"
        "net(torch.randn(2, 8, 4, 4)).sum().backward()\nopt.step()\n"
        "for p in net.parameters():\n    p.data.normal_(0, 1e-4)\n"
    )
    assert {code for code, _ in found(folder, train)} == {"INIT101"}


def test_what_an_unread_function_does_is_not_known_and_said(folder):
    (folder / "net.py").write_text(HEAD + "from away import prepare\nprepare(net)\n")
    report = api.check_all(["net.py"], api.Options())
    assert not report.findings
    (gap,) = report.unanalysed
    assert "away.prepare gets it at net.py:20, is not read, and may fill it" in gap.reason


@pytest.mark.parametrize("library", ["torchinfo.summary(net)", "wandb.watch(net)", "print(net)"])
def test_who_only_looks_fills_nothing(folder, library):
    package = library.partition(".")[0]
    lines = f"import {package}\n" if "." in library else ""
    assert {code for code, _ in found(folder, lines + library)} == {"INIT101"}
