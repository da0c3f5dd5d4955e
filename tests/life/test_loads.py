"""Loaded weights: what a load leaves of the initialisation, and what it does not."""

import pytest

from initlint import api

HEAD = """\
import copy
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))))

"""
FRESH = {
    "on request": "def main(resume=None):\n    net = Net()\n    if resume:\n"
    "        net.load_state_dict(torch.load(resume))\n",
    "where there is a file": "import os\nnet = Net()\nif os.path.exists('net.pt'):\n"
    "    net.load_state_dict(torch.load('net.pt'))\n",
    "tried": "net = Net()\ntry:\n    net.load_state_dict(torch.load('net.pt'))\n"
    "except FileNotFoundError:\n    pass\n",
    "after training": "net = Net()\nnet(torch.randn(2, 64)).sum().backward()\n"
    "net.load_state_dict(torch.load('best.pt'))\n",
    "of a twin": "net, target = Net(), Net()\ntarget.load_state_dict(net.state_dict())\n",
    "by parameters": "net, target = Net(), Net()\n"
    "for t, s in zip(target.parameters(), net.parameters()):\n    t.data.copy_(s.data)\n",
    "by a method that nothing calls": "class Agent:\n    def __init__(self):\n"
    "        self.net = Net()\n    def load(self, path):\n"
    "        self.net.load_state_dict(torch.load(path))\n",
    "one way, and not the other": "def main(resume=None):\n    net = Net()\n    if resume:\n"
    "        net.load_state_dict(torch.load(resume))\n    else:\n        print('fresh')\n",
    "one way wholly, the other in part": "def main(resume=None):\n    net = Net()\n    if resume:\n"
    "        net.load_state_dict(torch.load(resume))\n    else:\n"
    "        net.a.load_state_dict(torch.load('a.pt'))\n",
    "in a script that trains, not in one that tries": "def train():\n    net = Net()\n"
    "    torch.optim.SGD(net.parameters(), lr=0.1)\ndef test():\n    net = Net()\n"
    "    net.load_state_dict(torch.load('net.pt'))\n"
    "    net(torch.autograd.Variable(torch.randn(2, 64)))\n",
    "of its own state": "net = Net()\nstate = {**net.state_dict()}\n"
    "state.update({})\nnet.load_state_dict(dict(state))\n",
    "in a script that ends elsewhere": "import sys\nnet = Net()\ndef main(resume):\n"
    "    if resume:\n        net.load_state_dict(torch.load(resume))\n"
    "    torch.optim.SGD(net.parameters(), lr=0.1)\n    sys.exit(0)\n"
    "if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n",
    "not before an early return": "def load(net, path):\n    if not path.exists():\n"
    "        return net\n    net.load_state_dict(torch.load(path))\n    return net\n"
    "def main(path):\n    net = load(Net(), path)\n",
    "in part before an early return": "def load(net, path):\n    state = torch.load(path)\n"
    "    if 'a' in state:\n        net.a.load_state_dict(state['a'])\n        return net\n"
    "    net.load_state_dict(state)\n    return net\nnet = load(Net(), 'net.pt')\n",
    "tried before an early return": "def load(net, path, verbose):\n    try:\n"
    "        net.load_state_dict(torch.load(path))\n    except OSError:\n        pass\n"
    "    if verbose:\n        return net\n    print(path)\n    return net\n"
    "def main(verbose):\n    net = load(Net(), 'net.pt', verbose)\n",
    "of the first file that is there": "net = Net()\nfor path in ('a.pt', 'b.pt'):\n    try:\n"
    "        net.load_state_dict(torch.load(path))\n        break\n"
    "    except OSError:\n        continue\n",
    "until there is none": "net = Net()\nwhile True:\n    try:\n"
    "        net.load_state_dict(torch.load('net.pt'))\n        break\n"
    "    except OSError:\n        break\n",
    "in another program": "def train():\n    net = Net()\n"
    "    net(torch.randn(2, 64)).sum().backward()\ndef test():\n    net = Net()\n"
    "    net.load_state_dict(torch.load('net.pt'))\n",
}
LOADED = {
    "strictly": "net = Net()\nnet.load_state_dict(torch.load('net.pt'))\n",
    "in a function": "def main(path):\n    net = Net()\n    state = torch.load(path)['model']\n"
    "    net.load_state_dict(state)\n    return net\n",
    "then copied": "net = Net()\nnet.load_state_dict(torch.load('net.pt'))\n"
    "target = copy.deepcopy(net)\n",
    "one way or the other": "def main(resume=None):\n    net = Net()\n    if resume:\n"
    "        net.load_state_dict(torch.load(resume))\n    else:\n"
    "        net.a.load_state_dict(torch.load('a.pt'))\n"
    "        net.b.load_state_dict(torch.load('b.pt'))\n",
    "one of three ways": "def main(kind):\n    net = Net()\n    if kind == 'a':\n"
    "        net.load_state_dict(torch.load('a.pt'))\n    elif kind == 'b':\n"
    "        net.load_state_dict(torch.load('b.pt'))\n    else:\n"
    "        raise ValueError(kind)\n",
    "of those parameters that a file has": "net = Net()\nold = torch.load('net.pt')\n"
    "state = net.state_dict()\nold = {k: v for k, v in old.items() if k in state}\n"
    "state.update(old)\nnet.load_state_dict(state)\n",
    "of two dicts": "net = Net()\nold = torch.load('net.pt')\n"
    "net.load_state_dict({**net.state_dict(), **old})\n",
    "of joined dicts": "net = Net()\nold = torch.load('net.pt')\n"
    "net.load_state_dict(net.state_dict() | old)\n",
    "or an error": "net = Net()\ntry:\n    net.load_state_dict(torch.load('net.pt'))\n"
    "except FileNotFoundError as error:\n    raise RuntimeError('no weights') from error\n",
    "or an end": "import sys\nnet = Net()\ntry:\n    net.load_state_dict(torch.load('net.pt'))\n"
    "except FileNotFoundError:\n    print('no weights')\n    sys.exit(1)\n",
    "where it is there, else an end": "import os, sys\nnet = Net()\n"
    "if not os.path.exists('net.pt'):\n    print('no weights')\n    sys.exit(1)\n"
    "else:\n    net.load_state_dict(torch.load('net.pt'))\n",
    "where it is asked for, else a wrong option": "import argparse\nnet = Net()\n"
    "parser = argparse.ArgumentParser()\nargs = parser.parse_args()\nif args.old:\n"
    "    net.load_state_dict(torch.load(args.old))\nelse:\n    parser.error('no --old')\n",
    "before each return": "def load(net, path):\n    state = torch.load(path)\n"
    "    if 'model' in state:\n        net.load_state_dict(state['model'])\n        return net\n"
    "    net.load_state_dict(state)\n    return net\nnet = load(Net(), 'net.pt')\n",
    "before a return on request": "def load(net, path, verbose):\n"
    "    net.load_state_dict(torch.load(path))\n    if verbose:\n        return net\n"
    "    print(path)\n    return net\ndef main(verbose):\n"
    "    net = load(Net(), 'net.pt', verbose)\n",
    "before each return, or an error": "def load(net, path):\n    state = torch.load(path)\n"
    "    if 'model' in state:\n        net.load_state_dict(state['model'])\n        return net\n"
    "    if 'net' in state:\n        net.load_state_dict(state['net'])\n        return net\n"
    "    raise ValueError(path)\nnet = load(Net(), 'net.pt')\n",
    "tried until it is there": "import time\nnet = Net()\nwhile True:\n    try:\n"
    "        net.load_state_dict(torch.load('net.pt'))\n        break\n"
    "    except OSError:\n        time.sleep(1)\n",
    "tried a number of times": "def main(tries=3):\n    net = Net()\n"
    "    for number in range(tries):\n        try:\n"
    "            net.load_state_dict(torch.load('net.pt'))\n            break\n"
    "        except OSError:\n            if number == tries - 1:\n                raise\n",
    "by torch's checkpoints": "from torch.distributed.checkpoint.state_dict import (\n"
    "    set_model_state_dict)\nnet = Net()\nset_model_state_dict(net, torch.load('net.pt'))\n",
    "by name": "net = Net()\nstate = torch.hub.load_state_dict_from_url('u')\n"
    "net.load_state_dict(state_dict=state)\n",
}


def codes(folder, code):
    (folder / "net.py").write_text(HEAD + code)
    return {finding.code for finding in api.check_all(["net.py"], api.Options()).findings}


@pytest.mark.parametrize("code", FRESH.values(), ids=FRESH)
def test_a_load_that_may_not_happen_changes_nothing(folder, code):
    assert codes(folder, code) == {"INIT101"}


@pytest.mark.parametrize("code", LOADED.values(), ids=LOADED)
def test_a_load_before_the_first_use_makes_initialisation_moot(folder, code):
    assert codes(folder, code) == set()


def test_a_target_network_gets_what_the_other_was_filled_with(folder):
    fill = "def tiny(m):\n    if isinstance(m, nn.Linear):\n"
    fill += "        nn.init.normal_(m.weight, 0, 1e-4)\n"
    script = "net, target = Net(), Net()\nnet.apply(tiny)\n"
    script += "target.load_state_dict(net.state_dict())\n"
    assert codes(folder, fill + script) == {"INIT106"}


DEEP = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList(nn.Linear(64, 64) for _ in range(12))

    def forward(self, x):
        for layer in self.body:
            x = layer(x).relu()
        return x

net = Net()
state = net.state_dict()
{}
net.load_state_dict(state)
"""
BY_NAMES = {
    "in place of": "for key in state:\n    if key.endswith('weight'):\n"
    "        state[key] = nn.init.kaiming_normal_(torch.empty_like(state[key]))",
    "written to": "for key, value in state.items():\n    if value.dim() > 1:\n"
    "        nn.init.kaiming_normal_(value)",
    "in a new dict": "state = {k: nn.init.kaiming_normal_(torch.empty(64, 64)) if 'weight' in k"
    " else v for k, v in state.items()}",
}


@pytest.mark.parametrize("filled", BY_NAMES.values(), ids=BY_NAMES)
def test_a_loop_over_the_names_of_many_parameters_reaches_them_all(folder, filled):
    (folder / "net.py").write_text(DEEP.format(filled))
    assert api.check_all(["net.py"], api.Options()).findings == ()
    (folder / "net.py").write_text(DEEP.format(""))
    assert api.check_all(["net.py"], api.Options()).findings != ()
