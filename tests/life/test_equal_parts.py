"""Equal parts that one line makes are several parts: what fills one does not fill the others."""

import textwrap

import pytest

from initlint import api

HEAD = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc1 = nn.Linear(n, n)
        self.fc2 = nn.Linear(n, n)
        for fc in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(fc.weight, nonlinearity="relu")

    def forward(self, x):
        return self.fc2(self.fc1(x).relu()).relu()


class Wide(nn.Linear):
    def __init__(self, *args):
        super().__init__(*args)
        self.seen = None


def block():
    return Block(64)


def filled(std):
    layer = Wide(64, 64)
    nn.init.normal_(layer.weight, std=std)
    return layer


"""
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, x):
        return self.net(x)


{script}
"""
LIST = "self.net = nn.Sequential(*[Block(64) for _ in range(4)])"
KAIMING = 0.1768


def stds(folder, made, script=""):
    """The std of every weight, by its name."""
    made = textwrap.indent(textwrap.dedent(made), " " * 8).strip()
    (folder / "net.py").write_text(HEAD + NET.format(made=made, script=textwrap.dedent(script)))
    report = api.check_all(["net.py"], api.Options(parameters=True))
    assert not report.unanalysed
    assert "INIT010" not in {finding.code for finding in report.findings}
    return {
        p.name: p.history[-1].std and round(p.history[-1].std, 4)
        for p in report.parameters
        if p.kind == "weight" and p.model == "Net"
    }


def others(found, *changed):
    return {std for name, std in found.items() if name not in changed}


PICKED = {
    "by a number": f"{LIST}\nnn.init.normal_(self.net[2].fc2.weight, std=1e-4)",
    "by a number from the end": f"{LIST}\nself.net[-2].fc2.weight.data.normal_(std=1e-4)",
    "out of a list": """
        blocks = [Block(64) for _ in range(4)]
        nn.init.normal_(blocks[2].fc2.weight, std=1e-4)
        self.net = nn.Sequential(*blocks)
        """,
    "out of a list that grows": """
        blocks = []
        for i in range(4):
            blocks.append(Block(64))
        nn.init.normal_(blocks[-2].fc2.weight, std=1e-4)
        self.net = nn.Sequential(*blocks)
        """,
    "after all are filled": f"""
        {LIST}
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        nn.init.normal_(self.net[2].fc2.weight, std=1e-4)
        """,
}


@pytest.mark.parametrize("made", PICKED.values(), ids=PICKED)
def test_one_of_equal_parts_is_filled(folder, made):
    found = stds(folder, made)
    assert found["net.2.fc2.weight"] == 0.0001
    assert others(found, "net.2.fc2.weight") == {KAIMING} and len(found) == 8


def test_a_script_fills_one_of_equal_parts(folder):
    fill = "nn.init.normal_(net.net[2].fc2.weight, std=1e-4)"
    train = "torch.optim.SGD(net.parameters(), 0.1)"
    found = stds(folder, LIST, f"net = Net()\n{fill}\n{train}")
    assert found["net.2.fc2.weight"] == 0.0001
    assert others(found, "net.2.fc2.weight") == {KAIMING} and len(found) == 8
    # What is written after training is no initialisation, for none of them.
    step = "net(torch.randn(2, 64)).sum().backward()"
    found = stds(folder, LIST, f"net = Net()\n{train}\n{step}\n{fill}")
    assert others(found) == {KAIMING} and len(found) == 8


@pytest.mark.parametrize(
    "loop",
    [
        "for i, part in enumerate(self.net):\n    part.fc2.weight.data.normal_(std=0.1 / 10**i)",
        "for i in range(4):\n    nn.init.normal_(self.net[i].fc2.weight, std=0.1 / 10**i)",
        "for part, std in zip(self.net, (0.1, 0.01, 0.001, 0.0001)):\n"
        "    nn.init.normal_(part.fc2.weight, std=std)",
    ],
)
def test_each_of_equal_parts_is_filled_in_its_own_way(folder, loop):
    found = stds(folder, f"{LIST}\n{loop}")
    assert [found[f"net.{i}.fc2.weight"] for i in range(4)] == [0.1, 0.01, 0.001, 0.0001]
    assert {found[f"net.{i}.fc1.weight"] for i in range(4)} == {KAIMING}


def test_equal_parts_under_names_of_their_own(folder):
    made = """
    self.one = block()
    self.other = block()
    nn.init.normal_(self.other.fc2.weight, std=1e-4)
    self.net = nn.Sequential(self.one, self.other)
    """
    found = stds(folder, made)
    assert found["other.fc2.weight"] == 0.0001 and found["one.fc2.weight"] == KAIMING


def test_a_part_that_is_there_twice_is_one_part(folder):
    for made in ("[Block(64)] * 3", "[part := Block(64), part, part]"):
        fill = "nn.init.normal_(self.net[0].fc2.weight, std=1e-4)"
        found = stds(folder, f"self.net = nn.Sequential(*{made})\n{fill}")
        assert {std for name, std in found.items() if "fc2" in name} == {0.0001}


def test_a_function_fills_what_it_makes(folder):
    found = stds(folder, "self.net = nn.Sequential(*map(filled, (0.1, 0.1, 0.0001)))")
    assert list(found.values()) == [0.1, 0.1, 0.0001]


def test_a_function_fills_a_layer_before_it_wraps_it(folder):
    """Every layer is filled first, though an equal one has been wrapped before."""
    made = """
    self.net = nn.Sequential(*[nn.utils.weight_norm(filled(0.1)) for _ in range(3)])
    """
    (folder / "net.py").write_text(HEAD + NET.format(made=made.strip(), script=""))
    assert api.check("net.py").findings == ()


def test_what_is_made_after_all_was_filled_is_as_it_was_made(folder):
    made = """
    self.first = block()
    self.apply(lambda m: isinstance(m, nn.Linear) and nn.init.zeros_(m.weight))
    self.second = block()
    self.net = nn.Sequential(self.first, self.second)
    """
    found = stds(folder, made)
    assert {std for name, std in found.items() if name.startswith("first")} == {0}
    assert {std for name, std in found.items() if name.startswith("second")} == {KAIMING}


BASE = """
class Feed(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, n))

    def forward(self, x):
        return x @ self.weight


class Base(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.feed = Feed(n)

    def forward(self, x):
        return self.step(x)

    def step(self, x):
        raise NotImplementedError


class Layer(Base):
    def step(self, x):
        return self.feed(x)


class Decoder(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = nn.ModuleList([Layer(n) for _ in range(3)])
        count = 0
        while count >= 0:
            count += 1
        for parameter in self.parameters():
            nn.init.xavier_uniform_(parameter)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""


def test_the_base_class_of_a_part_is_no_model(folder):
    """What makes the part could not be followed; its base class alone would be uninitialised."""
    (folder / "net.py").write_text(HEAD + BASE)
    report = api.check("net.py")
    assert report.findings == ()
    assert [gap.target for gap in report.unanalysed] == ["net.py:Decoder"]
