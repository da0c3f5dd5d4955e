"""Models of agents and trainers: optimisers in constructors, target networks, many kinds of agents.

In each program the present initialiser of every weight is known, and is the one that is said.
"""

import pytest

from initlint import api

HEAD = """\
import argparse
import copy
import math
import pickle
import numpy as np
import torch
from torch import nn
from torch import optim

args = argparse.ArgumentParser().parse_args()

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 4)
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 4)
        self.optimizer = optim.Adam(self.parameters(), lr=1e-3)
        self.memory = []
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))
    def learn(self):
        self.optimizer.zero_grad()
        for x in self.memory:
            self(x).sum().backward()
        self.optimizer.step()
        self.memory = []

def normal(m):
    if m.__class__.__name__.find("Linear") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)

"""
DEFAULT = {
    "its constructor makes its optimiser": """
net = Own()
for episode in range(1000):
    done = False
    while not done:
        net.memory.append(net(torch.randn(1, 64)))
    net.learn()
""",
    "a target network with an optimiser of its own": """
class Agent:
    def __init__(self, tau):
        self.net, self.target = Own(), Own()
        self.tau = tau
        self.update(tau=1)
    def update(self, tau=None):
        tau = self.tau if tau is None else tau
        new, old = dict(self.net.named_parameters()), dict(self.target.named_parameters())
        for name in new:
            new[name] = tau * new[name].clone() + (1 - tau) * old[name].clone()
        self.target.load_state_dict(new)
    def learn(self):
        self.net.learn()
        self.update()
agent = Agent(0.01)
""",
    "one of many agents": "".join(
        f"""
class Agent{n}:
    def __init__(self):
        self.net = Net()
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def train(self):
        self.net(torch.randn({n}, 64)).sum().backward()
"""
        for n in range(1, 10)
    )
    + "if args.kind == 1:\n    agent = Agent1()\n"
    + "".join(f"elif args.kind == {n}:\n    agent = Agent{n}()\n" for n in range(2, 10))
    + "else:\n    raise ValueError(args.kind)\nagent.train()\n",
    "a function that gets its optimiser, too": """
from helper import fit
net = Net()
fit(net, optim.SGD(net.parameters(), lr=0.1), epochs=3)
""",
    "made here, or read from a file": """
if args.path:
    net = pickle.load(open(args.path, "rb"))
else:
    net = Net()
net.to("cuda")
""",
    "training that never ends": """
net = Net()
optimizer = optim.SGD(net.parameters(), lr=0.1)
for epoch in range(1000):
    for batch in range(1000):
        for step in range(1000):
            z = torch.zeros(4, 64).uniform_(-1, 1)
            optimizer.zero_grad()
            net(z).sum().backward()
            optimizer.step()
""",
    "loaded by the program that evaluates it": """
def main():
    net = Net()
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net(torch.randn(2, 64)).sum().backward()
def evaluate(path, Model=Net):
    net = Model()
    net.load_state_dict(torch.load(path))
    net(torch.randn(2, 64))
if args.evaluate:
    evaluate("net.pt")
else:
    main()
""",
}
DEFAULT["one of many models"] = (
    "".join(
        f"""
class Net{n}(Net):
    def __init__(self, **options):
        super().__init__({n})
        self.b = nn.Linear({n}, 3)
"""
        for n in range(1, 12)
    )
    + "MODELS = {"
    + ", ".join(f"'net{n}': Net{n}" for n in range(1, 12))
    + "}\n"
    + """
import yaml
config = yaml.safe_load(open("net.yaml"))
net = MODELS[config["name"]](**config["options"])
net.to("cuda")
optimizer = optim.SGD(net.parameters(), lr=0.1)
net(torch.randn(2, 64)).sum().backward()
"""
)
DEFAULT["one of many models, in a trainer"] = (
    DEFAULT["one of many models"].split("net.to(")[0]
    + """
import pytorch_lightning as pl
class Trained(pl.LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model
    def forward(self, x):
        return self.model(x)
pl.Trainer().fit(Trained(net))
"""
)
DEFAULT["trained by workers"] = """
import torch.multiprocessing as mp
def work(rank, shared):
    net = Net()
    net.load_state_dict(shared.state_dict())
    net(torch.randn(2, 64)).sum().backward()
net = Net()
net.share_memory()
workers = [mp.Process(target=work, args=(rank, net)) for rank in range(4)]
for worker in workers:
    worker.start()
"""
DEFAULT["one of two, or read from a file"] = """
class Other(Net):
    pass
if args.path:
    net, state = pickle.load(open(args.path, "rb"))
elif args.other:
    net, state = Other(), None
else:
    net, state = Net(), None
net.to("cuda")
for step in range(1000):
    net(torch.randn(2, 64)).sum().backward()
"""
NORMAL = {
    "resumed, or begun": """
net = Net()
if args.epoch != 0:
    net.load_state_dict(torch.load("net.pt"))
else:
    net.apply(normal)
""",
    "begun, or resumed": """
net = Net()
if args.fresh:
    net.apply(normal)
else:
    net.load_state_dict(torch.load("net.pt"))
""",
    "detached": """
net = Net()
for m in net.modules():
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight.detach(), std=0.02)
""",
}


def initialisers(folder, code):
    """The initialisers of the models that are used."""
    (folder / "net.py").write_text(HEAD + code)
    report = api.check("net.py")
    return {x.current.name for x in report.layers if x.model != "Own" or "Own()" in code}


@pytest.mark.parametrize("code", DEFAULT.values(), ids=DEFAULT)
def test_the_default_is_known(folder, code):
    assert initialisers(folder, code) == {"kaiming_uniform_"}


@pytest.mark.parametrize("code", NORMAL.values(), ids=NORMAL)
def test_the_fresh_start_counts(folder, code):
    assert initialisers(folder, code) == {"normal_"}


def test_an_undecided_start_is_not_known(folder):
    code = "net = Net()\nif args.fresh:\n    net.apply(normal)\n"
    assert initialisers(folder, code) == {"unknown"}


def test_an_unknown_function_without_an_optimiser_may_fill(folder):
    code = "from helper import fit\nnet = Net()\nfit(net)\n"
    assert initialisers(folder, code) == {"unknown"}


def test_numbers_of_numpy_and_sizes_of_convolutions(folder):
    (folder / "net.py").write_text(
        HEAD
        + """
def layer_init(layer, std=np.sqrt(2)):
    nn.init.orthogonal_(layer.weight, std)
    return layer

class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(8, 8, kernel_size=(1, 3))
        self.c = layer_init(nn.Linear(8, 8))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                n = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                m.weight.data.normal_(0, math.sqrt(2.0 / n))
    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))
"""
    )
    found = {x.layer: x.current.std for x in api.check("net.py").layers if x.model == "Conv"}
    assert found["a"] == pytest.approx((2 / (9 * 8)) ** 0.5)
    assert found["b"] == pytest.approx((2 / (3 * 8)) ** 0.5)
    assert found["c"] == pytest.approx((2 / 8) ** 0.5)
