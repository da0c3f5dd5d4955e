"""What fills a model counts however Python spells it: match, global, with, tables, hooks, try."""

from __future__ import annotations

import textwrap

import pytest

from initlint import api

HEAD = """\
import functools, torch
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
TINY = {("INIT106", "a"), ("INIT106", "b")}
DEFAULT = {("INIT101", "b")}


def found(folder, code, head=HEAD):
    (folder / "net.py").write_text(head + textwrap.dedent(code))
    report = api.check_all(["net.py"], api.Options())
    codes = {(finding.code, finding.layer.removeprefix("net.")) for finding in report.findings}
    # The function that HEAD has is not always called.
    return codes - {("INIT004", "")}


CALLBACKS = {
    "class": "case nn.Linear():\n    nn.init.normal_(m.weight, std=1e-4)",
    "or": "case nn.Conv2d() | nn.Linear():\n    nn.init.normal_(m.weight, std=1e-4)",
    "as": "case nn.Linear() as layer:\n    nn.init.normal_(layer.weight, std=1e-4)",
    "guard": "case nn.Linear() if m.out_features > 1:\n    nn.init.normal_(m.weight, std=1e-4)",
    "keyword": "case nn.Linear(in_features=64):\n    nn.init.normal_(m.weight, std=1e-4)",
    "captured": "case nn.Linear(weight=w):\n    nn.init.normal_(w, std=1e-4)",
    "after another": "case nn.LayerNorm():\n    pass\n"
    "case nn.Linear():\n    nn.init.normal_(m.weight, std=1e-4)",
    "last": "case nn.LayerNorm():\n    pass\n"
    "case _ if hasattr(m, 'weight'):\n    nn.init.normal_(m.weight, std=1e-4)",
}


@pytest.mark.parametrize("cases", CALLBACKS.values(), ids=CALLBACKS.keys())
def test_a_match_in_a_callback_is_followed(folder, cases):
    code = "def fill(m):\n    match m:\n" + textwrap.indent(cases, " " * 8)
    assert found(folder, code + "\nnet = Net()\nnet.apply(fill)\n") == TINY


def test_a_match_that_does_not_fit_fills_nothing(folder):
    code = """
        def fill(m):
            match m:
                case nn.Conv2d():
                    nn.init.normal_(m.weight, std=1e-4)
                case str() | None | 3:
                    raise TypeError
                case _:
                    return
        net = Net()
        net.apply(fill)
        """
    assert found(folder, code) >= DEFAULT


def test_a_pattern_that_is_not_decided_leaves_both_open(folder):
    code = """
        import sys
        net = Net()
        match sys.argv:
            case [_, "tiny"]:
                net.apply(tiny)
            case [*rest]:
                net.apply(lambda m: None)
        torch.optim.SGD(net.parameters(), 0.1)
        """
    assert found(folder, code) <= DEFAULT


FILLED = {
    "a match on a text": """
        def build(kind):
            match kind:
                case "other":
                    return nn.Identity()
                case "net":
                    net = Net()
            net.apply(tiny)
            return net
        build("net")
        """,
    "a global name": """
        net = None
        def build():
            global net
            net = Net()
        def fill():
            net.apply(tiny)
        build()
        fill()
        """,
    "a global name that a condition sets": """
        net = None
        def build(n):
            global net
            if n > 3:
                net = Net(n)
            else:
                net = Net(2 * n)
            fill()
        def fill():
            net.apply(tiny)
        build(64)
        """,
    "a context manager": """
        import contextlib
        @contextlib.contextmanager
        def session():
            net = Net()
            yield net
        with session() as net:
            net.apply(tiny)
        """,
    "an object that is entered": """
        class Session:
            def __enter__(self):
                self.net = Net()
                return self
            def __exit__(self, *args):
                pass
        with Session() as session:
            session.net.apply(tiny)
        """,
    "a question of a class": """
        net = Net()
        for m in net.modules():
            if issubclass(type(m), nn.Linear) and not issubclass(m.__class__, (Net, nn.Conv2d)):
                nn.init.normal_(m.weight, 0.0, 1e-4)
        """,
    "a namespace": """
        from types import SimpleNamespace
        parts = SimpleNamespace(net=Net(), lr=0.1)
        parts.net.apply(tiny)
        """,
    "a table that a decorator fills": """
        TABLE = {}
        def enter(name):
            def wrap(cls):
                TABLE[name] = cls
                return cls
            return wrap
        @enter("mine")
        class Mine(Net):
            pass
        TABLE["mine"](64).apply(tiny)
        """,
    "a table that is an object": """
        class Registry:
            def __init__(self):
                self.known = {}
            def register(self, cls):
                self.known[cls.__name__] = cls
                return cls
            def build(self, name):
                return self.known[name]()
        NETS = Registry()
        @NETS.register
        class Mine(Net):
            pass
        net = NETS.build("Mine")
        net.apply(tiny)
        """,
    "the names of the file": 'net = globals()["Net"]()\nnet.apply(tiny)',
    "the file as a module": """
        import sys
        net = getattr(sys.modules[__name__], "Net")()
        net.apply(tiny)
        """,
    "memory that is filled": """
        net = Net()
        net.a = nn.utils.skip_init(nn.Linear, 64, 64)
        net.b = nn.utils.skip_init(nn.Linear, 64, out_features=64, device="cpu")
        net.apply(tiny)
        for layer in (net.a, net.b):
            nn.init.zeros_(layer.bias)
        """,
    "a state dict that is made": """
        net = Net()
        start = {k: torch.randn_like(v) * 1e-4 for k, v in net.state_dict().items()}
        net.load_state_dict(start)
        torch.optim.SGD(net.parameters(), 0.1)
        """,
    "where there is nothing to load": """
        net = Net()
        try:
            net.load_state_dict(torch.load("net.pt"))
        except FileNotFoundError:
            net.apply(tiny)
        torch.optim.SGD(net.parameters(), 0.1)
        """,
    "where one of several errors comes": """
        net = Net()
        try:
            net.load_state_dict(torch.load("net.pt"))
        except KeyError:
            raise SystemExit(1)
        except OSError:
            net.apply(tiny)
        torch.optim.SGD(net.parameters(), 0.1)
        """,
}


@pytest.mark.parametrize("code", FILLED.values(), ids=FILLED.keys())
def test_what_fills_a_model_counts(folder, code):
    assert found(folder, code) == TINY


HOOKS = ("setup(self, stage)", "setup(self, stage=None)", "configure_model(self)")
HOOKS = (*HOOKS, "on_fit_start(self)", "on_train_start(self)")


@pytest.mark.parametrize("package", ["lightning", "pytorch_lightning"])
@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_of_a_trainer_fill_a_model(folder, hook, package):
    code = f"""
        import {package} as pl
        class Lit(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = Net()
            def {hook}:
                self.net.apply(tiny)
            def training_step(self, batch, index):
                return self.net(batch).sum()
        """
    assert found(folder, code) == TINY


def test_a_model_that_a_hook_makes_is_judged(folder):
    code = """
        import lightning as L
        class Lit(L.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = None
            def configure_model(self):
                if self.net is None:
                    self.net = Net()
            def training_step(self, batch, index):
                return self.net(batch).sum()
        L.Trainer().fit(Lit())
        """
    assert found(folder, code) == DEFAULT


def test_a_method_called_setup_of_another_module_is_no_hook(folder):
    code = """
        class Mine(Net):
            def setup(self, stage):
                self.apply(tiny)
        Mine()
        """
    assert found(folder, code) == DEFAULT


def test_names_of_python_are_no_initialisers(folder):
    head = HEAD.replace("import functools, torch\n", "import torch\nfrom torch.nn.init import *\n")
    code = """
        net = Net()
        for m in net.modules():
            if isinstance(m, nn.Linear) and len(list(m.children())) == 0:
                normal_(m.weight, std=1e-4)
        """
    assert found(folder, code, head) == TINY


def test_a_base_is_judged_as_its_heirs_are_made(folder):
    code = """
        class Mine(Net):
            def __init__(self):
                super().__init__()
                self.apply(tiny)
        torch.optim.SGD(Mine().parameters(), 0.1)
        """
    assert found(folder, code) == TINY
    # If somebody makes the base, too, it begins in its own way.
    both = textwrap.dedent(code) + "torch.optim.SGD(Net().parameters(), 0.1)\n"
    assert found(folder, both) == TINY | DEFAULT


FRESH = {
    "after an early return": """
        import os
        def resume(net, path):
            if not os.path.exists(path):
                return
            net.load_state_dict(torch.load(path))
        def main(path):
            net = Net()
            resume(net, path)
            torch.optim.SGD(net.parameters(), 0.1)
        """,
    "after an error that returns": """
        class Trainer:
            def __init__(self, path):
                self.net = Net()
                self.load(path)
                self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1)
            def load(self, path):
                try:
                    held = torch.load(path)
                except FileNotFoundError:
                    print("from scratch")
                    return
                self.net.load_state_dict(held["net"])
        Trainer("net.pt")
        """,
}


@pytest.mark.parametrize("code", FRESH.values(), ids=FRESH.keys())
def test_a_load_that_a_fresh_start_does_not_reach_counts_for_nothing(folder, code):
    assert found(folder, code) == DEFAULT


def test_a_load_on_every_way_is_one(folder):
    code = """
        def load(net, path):
            try:
                held = torch.load(path)
            except FileNotFoundError:
                held = torch.load(path + ".old")
            net.load_state_dict(held)
        net = Net()
        load(net, "net.pt")
        torch.optim.SGD(net.parameters(), 0.1)
        """
    assert not found(folder, code)


NOTES = {
    "an argument": "def run(\n    net: Net,\n    count: int = 3,\n):\n    return net(count)",
    "an optional one": "def run(\n    net: Optional[Net] = None,\n    *nets: Net,\n):\n    pass",
    "a result": "def run() -> (\n    Net\n):\n    return None",
    "a field": "@dataclass\nclass Parts:\n    net: Net\n    rate: float = 0.1",
    "a variable": "net: Net",
    "a union": "class Holder:\n    net: Net | None\n    other: dict[str,\n        Net,\n    ]",
    "a cast": "def run(x):\n    return cast(Net, x)",
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES.keys())
def test_a_class_that_annotations_name_is_not_passed_on(folder, note):
    imports = "from dataclasses import dataclass\nfrom typing import Optional, cast\n"
    assert found(folder, note + "\n", imports + HEAD) == DEFAULT


def test_a_class_in_a_table_that_nothing_takes_it_from_is_not_judged(folder):
    (folder / "net.py").write_text(HEAD + 'TABLE = {\n    "net": Net,\n}\n')
    report = api.check_all(["net.py"], api.Options())
    assert not report.findings
    assert ["passed on as a value" in gap.reason for gap in report.unanalysed] == [True]


WALKS = {
    "recursion": """
        def walk(m):
            init_weights(m)
            for c in m.children():
                walk(c)
        walk(net)
        """,
    "while": """
        place, every = 0, list(net.modules())
        while place < len(every):
            init_weights(every[place])
            place += 1
        """,
    "stack": """
        stack = [net]
        while stack:
            m = stack.pop()
            init_weights(m)
            stack.extend(m.children())
        """,
    "list": """
        for m in [net, net.a, net.b]:
            init_weights(m)
        """,
    "tables": """
        for m in vars(net)["_modules"].values():
            init_weights(m)
        """,
}
MEANT = HEAD.replace("def tiny(", "def init_weights(") + "net = Net()\n"


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_a_walk_of_ones_own_fills_what_it_comes_to(folder, walk):
    assert found(folder, walk, MEANT) == TINY


def test_a_callback_that_is_only_called_on_the_model_has_no_effect(folder):
    assert ("INIT002", "a") in found(folder, "init_weights(net)\n", MEANT)


ASKED = [
    "isinstance(m, nn.Linear | nn.Conv2d)",
    "isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)",
    "isinstance(m, kinds | nn.Linear)",
    'hasattr(m, "in_features")',
]


@pytest.mark.parametrize("test", ASKED)
def test_what_a_callback_asks_of_layers(folder, test):
    code = f"""
        kinds = nn.Conv1d | nn.Conv2d
        net = Net()
        for m in net.modules():
            if {test}:
                nn.init.normal_(m.weight, std=math.pow(10, -4))
        """
    assert found(folder, code, "import math\n" + HEAD) == TINY


WRITING = {
    "torch.clamp_(net.b.weight.data, -1e-9, 1e-9)": set(),
    "net.b.weight.data.clamp_(min=0)": set(),
    "net.b.weight.data.clamp_(-1, 1)": DEFAULT,
    "torch.normal(0.0, 1e-4, size=(64, 64), out=net.b.weight.data)": set(),
    "torch._foreach_mul_([net.a.weight.data, net.b.weight.data], 1e-3)": set(),
    "torch._foreach_zero_([p.data for p in net.parameters()])": {
        ("INIT009", "a"),
        ("INIT009", "b"),
    },
    "torch.mul(net.b.weight, 2.0)": DEFAULT,
}


@pytest.mark.parametrize("call", WRITING)
def test_functions_of_torch_that_write_to_what_they_are_given(folder, call):
    assert found(folder, f"net = Net()\n{call}\n") == WRITING[call]


CLIPS = [
    "for p in net.parameters():\n    torch.nn.utils.clip_grad_norm_(p, 1.0)",
    "nn.utils.clip_grad_value_(net.b.weight, 1.0)",
    "nn.utils.clip_grad_norm_(net.parameters(), 1.0)",
]


@pytest.mark.parametrize("clip", CLIPS)
def test_clipping_gradients_writes_to_no_weight(folder, clip):
    assert found(folder, f"net = Net()\n{clip}\n") == DEFAULT
