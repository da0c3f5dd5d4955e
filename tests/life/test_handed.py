"""Functions that are handed to code which is not read: what they may fill is not judged."""

import pytest

from initlint import api

HEAD = """\
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
INIT = "for m in net.modules():\n    if isinstance(m, nn.Linear):\n"
INIT += "        nn.init.kaiming_normal_(m.weight, nonlinearity='relu')\n"
LOAD = "net.load_state_dict(torch.load('net.pt'))\n"
SAVE = "torch.save(net.state_dict(), 'net.pt')\n"
LOOK = "meter.reset()\nprint(net(torch.zeros(1, 64)))\n"
OF_A_FILE = """\
import runner
net = Net()
{before}
def handler(*args):
{body}
{after}
runner.run([torch.zeros(1, 64)])
"""
OF_A_FUNCTION = """\
import runner
def main():
    net = Net()
    {before}
    def handler(*args):
{body}
    {after}
    runner.run([torch.zeros(1, 64)])
main()
"""
OF_A_TRAINER = """\
from ignite.engine import Engine, Events
net = Net()
def step(engine, batch):
    return net(batch).sum()
runner = Engine(lambda engine, batch: net(batch))
{before}
def handler(*args):
{body}
{after}
runner.run([torch.zeros(1, 64)])
"""
HOMES = {"file": OF_A_FILE, "function": OF_A_FUNCTION, "trainer": OF_A_TRAINER}
WAYS = {
    "decorated": ("@runner.on('started')", ""),
    "given": ("", "runner.add_event_handler('started', handler)"),
    "given in a list": ("", "runner.add(handlers=[handler])"),
}


def checked(folder, home, way, content):
    before, after = WAYS[way]
    pad = " " * (8 if home == "function" else 4)
    body = "".join(f"{pad}{line}\n" for line in content.splitlines())
    code = HOMES[home].format(before=before, body=body, after=after)
    (folder / "net.py").write_text(HEAD + code)
    return api.check_all(["net.py"], api.Options())


@pytest.mark.parametrize("content", [INIT, LOAD], ids=["init", "load"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("home", HOMES)
def test_what_a_handler_may_fill_is_listed(folder, home, way, content):
    report = checked(folder, home, way, content)
    assert report.findings == ()
    assert "may fill it" in report.unanalysed[0].reason


@pytest.mark.parametrize("content", [SAVE, LOOK], ids=["save", "look"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("home", ["file", "trainer"])
def test_a_handler_that_fills_nothing_hides_nothing(folder, home, way, content):
    assert {each.code for each in checked(folder, home, way, content).findings} == {"INIT101"}


def test_a_decorated_function_that_the_file_calls_is_followed(folder):
    code = (
        "import click\nnet = Net()\n@click.command()\ndef main():\n    net.apply(print)\nmain()\n"
    )
    (folder / "net.py").write_text(HEAD + code)
    report = api.check_all(["net.py"], api.Options())
    assert {each.code for each in report.findings} == {"INIT101"}


def test_a_test_is_no_handler(folder):
    code = "import pytest\nnet = Net()\ntorch.optim.SGD(net.parameters(), lr=0.1)\n"
    code += "@pytest.mark.parametrize('x', [1])\ndef test_it(x):\n    net.load_state_dict({})\n"
    (folder / "net.py").write_text(HEAD + code)
    report = api.check_all(["net.py"], api.Options())
    assert {each.code for each in report.findings} == {"INIT101"}
