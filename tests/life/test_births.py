"""A model is judged as the code makes it: in scripts, functions, agents, tables and notebooks."""

import json
import textwrap

import pytest

from initlint import api

HEAD = """\
import copy
import torch
from torch import nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self, n=64):
        super().__init__()
        self.a = nn.Linear(n, n)
        self.b = nn.Linear(n, n)
        self.c = nn.Linear(n, 10)

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))))

def tiny(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 1e-4)

"""
TINY = {"INIT106"}
DEFAULT = {"INIT101"}


def report(folder, code, name="net.py"):
    (folder / name).write_text(HEAD + textwrap.dedent(code))
    return api.check_all([name], api.Options())


def codes(folder, code):
    # The function that HEAD has is not always called.
    return {finding.code for finding in report(folder, code).findings} - {"INIT004"}


FILLED = {
    "at the top level": "net = Net()\nnet.apply(tiny)",
    "in the main part": 'if __name__ == "__main__":\n    net = Net()\n    net.apply(tiny)',
    "in main()": """
        def main(width):
            net = Net(width)
            net.apply(tiny)

        if __name__ == "__main__":
            main(64)
        """,
    "in a function that nothing calls": """
        def build():
            net = Net()
            tiny(net.a), tiny(net.b)
            net.apply(tiny)
            return net
        """,
    "in a plain class": """
        class Agent:
            def __init__(self, rate):
                self.net = Net(64)
                self.net.apply(tiny)
        """,
    "in a method of a plain class": """
        class Agent:
            def __init__(self, rate, width=64):
                self.width = width
                self.build()

            def build(self):
                self.net = Net(self.width)
                self.net.apply(tiny)
        """,
    "out of a table": """
        MODELS = {"net": Net}
        def build(name):
            return MODELS[name]()
        net = build("net").apply(tiny)
        """,
    "by a factory": """
        def build(kind):
            if kind == "net":
                net = Net()
            else:
                raise ValueError(kind)
            return net
        net = build("net")
        net.apply(tiny)
        """,
    "one of two": """
        class Other(Net):
            pass

        def main(kind):
            net = Net() if kind == "net" else Other()
            net.apply(tiny)
        """,
    "several in a list": "nets = [Net() for _ in range(3)]\nfor net in nets:\n    net.apply(tiny)",
    "as a deep copy": "net = Net()\nnet.apply(tiny)\ntwin = copy.deepcopy(net)",
    "behind a wrapper": "net = nn.DataParallel(Net().to('cuda'))\nnet.module.apply(tiny)",
}


@pytest.mark.parametrize("code", FILLED.values(), ids=FILLED)
def test_what_the_code_fills_is_judged_as_it_is_filled(folder, code):
    assert codes(folder, code) == TINY


ALONE = {
    "nothing makes it": "",
    "a script makes it": "net = Net()",
    "a script makes it and trains it": """
        net = Net()
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(1000):
            loss = net(torch.randn(4, 64)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for p in net.parameters():
                    p.clamp_(-1, 1)
        torch.save(net.state_dict(), "net.pt")
        """,
    "another of its kind is filled": """
        class Twin(Net):
            pass
        twin = Twin()
        twin.apply(lambda m: nn.init.kaiming_normal_(m.weight) if hasattr(m, "weight") else None)
        net = Net()
        """,
    "noise is drawn": "net = Net()\nz = torch.empty(4, 64).normal_()\nmask = z.uniform_() > 0.5",
}


@pytest.mark.parametrize("code", ALONE.values(), ids=ALONE)
def test_what_nothing_fills_keeps_the_default(folder, code):
    assert "INIT101" in codes(folder, code)


def test_two_files_have_two_classes_of_one_name(folder):
    (folder / "one.py").write_text(HEAD + "net = Net()\nnet.apply(tiny)\n")
    (folder / "two.py").write_text(HEAD)
    found = api.check_all(["one.py", "two.py"], api.Options()).findings
    assert {(f.site.path, f.code) for f in found} == {("one.py", "INIT106"), ("two.py", "INIT101")}


@pytest.mark.parametrize("line", ["from one import Net", "import one"])
def test_names_are_resolved_by_imports(folder, line):
    (folder / "one.py").write_text(HEAD)
    call = "one.Net()" if line == "import one" else "Net()"
    fill = HEAD.partition("def tiny")[2].replace("(m)", "def tiny(m)", 1)
    script = f"from torch import nn\n{line}\n{fill}\nnet = {call}\nnet.apply(tiny)\n"
    (folder / "run.py").write_text(script)
    found = api.check_all(["one.py", "run.py"], api.Options()).findings
    assert {f.code for f in found} == TINY


def test_a_trained_model_tells_more_than_one_that_tries_the_class_out(folder):
    filled = """
        def train(data):
            net = Net()
            net.apply(tiny)
            opt = torch.optim.Adam(net.parameters())
            for x in data:
                net(x).sum().backward()
                opt.step()

        if __name__ == "__main__":
            print(Net()(torch.randn(2, 64)).shape)
        """
    assert codes(folder, filled) == TINY


def test_births_that_differ_are_each_judged(folder):
    both = "one = Net()\none.apply(tiny)\ntwo = Net()\ntwo.apply(lambda m: None)\n"
    trained = "for net in (one, two):\n    net(torch.randn(2, 64)).sum().backward()\n"
    assert codes(folder, both + trained) == TINY | DEFAULT


def test_cells_of_a_notebook_are_one_program(folder):
    cells = [HEAD, "net = Net()", "net.apply(tiny)"]
    empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    body = [{**empty, "source": cell} for cell in cells]
    notebook = {"cells": body, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "net.ipynb").write_text(json.dumps(notebook))
    found = api.check_all(["net.ipynb"], api.Options()).findings
    assert {finding.code for finding in found} == TINY


def test_functions_that_call_each_other_reach_the_class_all_the_same(folder):
    code = """
        def first(n):
            net = Net()
            net.apply(tiny)
            return second(n - 1) if n else net

        def second(n):
            return first(n)

        first
        second(0)
        """
    assert codes(folder, code) == TINY


def test_a_long_chain_of_functions_is_no_recursion(folder):
    chain = "".join(f"def f{i}():\n    return f{i + 1}()\n" for i in range(1200))
    code = chain + "def f1200():\n    return Net()\nhandle = f0\n"
    assert not [gap for gap in report(folder, code).unanalysed if "bug" in gap.reason]


MAKER = """
def block(n):
    first = nn.Linear(n, 64), nn.ReLU()
    return nn.Sequential(*first, nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 9))
"""


def test_what_a_function_makes_for_a_constructor_is_judged_there(folder):
    user = """
class User(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = block(64)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_normal_(p, gain=2**0.5)

    def forward(self, x):
        return self.part(x)
"""
    assert "INIT101" in codes(folder, MAKER)
    models = {layer.model for layer in report(folder, MAKER + user).layers}
    assert "User" in models and "block" not in models


def test_a_loop_over_one_of_two_lists_fills_what_either_holds(folder):
    code = """
class Deep(nn.Module):
    def __init__(self, short=False, n=3):
        super().__init__()
        if short:
            self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(n - 1)])
        else:
            self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(n)])
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return x

def make(short):
    return Deep(short)
"""
    (folder / "net.py").write_text(HEAD + textwrap.dedent(code))
    found = api.check_all(["net.py"], api.Options(parameters=True))
    weights = [p for p in found.parameters if p.model == "make" and p.kind == "weight"]
    assert {p.history[-1].name for p in weights} == {"kaiming_normal_"} and len(weights) == 5
    assert "make" not in {finding.model for finding in found.findings}


FLOWS = """
    class Chain(nn.Module):
        def __init__(self, nets):
            super().__init__()
            self.nets = nn.ModuleList(nets)

        def forward(self, x):
            return sum(net(x) for net in self.nets)

    """


@pytest.mark.parametrize(
    ("nets", "found"),
    [
        ("[Net() for _ in range(3)]", set()),
        ("[Net(), Net()]", set()),
        ("[copy.deepcopy(Net()) for _ in range(3)]", set()),
        ("[copy.deepcopy(net) for _ in range(3)]", {"INIT010"}),
        ("[net, copy.deepcopy(net)]", {"INIT010"}),
    ],
)
def test_models_that_one_line_makes_draw_their_own_values(folder, nets, found):
    code = textwrap.dedent(FLOWS) + f"net = Net()\nchain = Chain({nets})\n"
    assert codes(folder, code) & {"INIT010"} == found


PLAYERS = """
    class Agent(nn.Module):
        def __init__(self, net, optimiser=None):
            super().__init__()
            self.net = net
            self.optimiser = optimiser

        def forward(self, x):
            return self.net(x)


    class Game(nn.Module):
        def __init__(self, player_1, player_2):
            super().__init__()
            self.player_1 = player_1
            self.player_2 = player_2

        def forward(self, x):
            return self.player_1(x) - self.player_2(x)

    """


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("agent = Agent(net, torch.optim.SGD(net.parameters(), 0.1))", set()),
        ("agent = Agent(net)\noptimiser = torch.optim.SGD(agent.parameters(), 0.1)", set()),
        ("agent = Agent(net)", {"INIT010"}),
    ],
)
def test_a_copy_of_what_is_trained_is_meant(folder, lines, found):
    code = f"net = Net()\n{lines}\ngame = Game(agent, copy.deepcopy(agent))\n"
    assert codes(folder, textwrap.dedent(FLOWS + PLAYERS) + code) & {"INIT010"} == found


@pytest.mark.parametrize(
    ("made", "found"), [("Whole()", set()), ("copy.deepcopy(whole)", {"INIT010"})]
)
def test_models_whose_parts_they_fill_draw_their_own_values(folder, made, found):
    """A draw that a constructor writes over that of its part is each model's own, too."""
    code = f"""
    class Part(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.fc = nn.Linear(n, n)

        def forward(self, x):
            return self.fc(x)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Part(8)
            nn.init.uniform_(self.part.fc.weight, -0.1, 0.1)

        def forward(self, x):
            return self.part(x)

    whole = Whole()
    chain = Chain([{made} for _ in range(3)])
    """
    code = textwrap.dedent(FLOWS) + textwrap.dedent(code)
    assert codes(folder, code) & {"INIT010"} == found


def test_a_model_that_is_filled_and_one_that_is_not_are_both_judged(folder):
    code = "plain = Net()\nnet = Net()\nnet.apply(tiny)\n"
    assert codes(folder, code) == TINY | DEFAULT
    live = api.check_all(["net.py"], api.Options(trace=True))
    assert {finding.code for finding in live.findings} == TINY | DEFAULT
    # What is trained tells more than what is only tried.
    code += "torch.optim.SGD(net.parameters(), 0.1)\n"
    assert codes(folder, code) == TINY
    assert codes(folder, "if (net := Net()) is not None:\n    net.apply(tiny)\n") == TINY


@pytest.mark.parametrize(
    "mixed",
    [
        "t.data.copy_(t.data * (1.0 - tau) + s.data * tau)",
        "t.data.copy_(s.data * tau + t.data * (1.0 - tau))",
        "t.data.copy_(tau * s + (1 - tau) * t)",
    ],
)
def test_a_target_that_is_mixed_with_another_model_follows_it(folder, mixed):
    code = f"""
        def soft(source, target, tau=0.01):
            for t, s in zip(target.parameters(), source.parameters()):
                {mixed}
        net, target = Net(), Net()
        soft(net, target, tau=1.0)
        optimizer = torch.optim.Adam(net.parameters())
        """
    found = report(folder, code)
    assert {finding.code for finding in found.findings} - {"INIT004"} == DEFAULT
    assert all(layer.current.name == "kaiming_uniform_" for layer in found.layers)


@pytest.mark.parametrize("call", ["parts, 1, x", "functions=parts, segments=1, input=x"])
def test_a_sequence_under_checkpoints_is_followed(folder, call):
    code = f"""
        from torch.utils.checkpoint import checkpoint_sequential
        class Stack(nn.Module):
            def __init__(self):
                super().__init__()
                first, last = nn.Linear(64, 64), nn.Linear(64, 64)
                self.stack = nn.Sequential(first, nn.ReLU(), last, nn.ReLU())
            def forward(self, x):
                parts = [m for name, m in self.stack._modules.items()]
                return checkpoint_sequential({call})
        stack = Stack()
        """
    layers = [x for x in report(folder, code).layers if x.model == "Stack"]
    assert [x.following.activation for x in layers] == ["relu", "relu"]
    assert all(layer.current.default for layer in layers)
