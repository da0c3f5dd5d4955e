"""Frameworks that load models, and callbacks that may fill them, leave no fresh start to report."""

import textwrap

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

def good(m):
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight, nonlinearity="relu")

"""
LIT = """\
import lightning as L

class Lit(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def training_step(self, batch, index):
        return self.net(batch).sum()

"""
LOADED = {
    "each by its shape": """
        net, held = Net(), torch.load("net.pt")
        own = net.state_dict()
        for name, value in held.items():
            if name in own and own[name].shape == value.shape:
                own[name].copy_(value)
        """,
    "slices of one vector": """
        net, flat, begin = Net(), torch.load("net.pt"), 0
        for p in net.parameters():
            p.data = flat[begin : begin + p.numel()].view_as(p)
            begin += p.numel()
        """,
    "accelerate, dispatched": """
        from accelerate import load_checkpoint_and_dispatch
        net = load_checkpoint_and_dispatch(Net(), "net")
        """,
    "accelerate, its state": """
        from accelerate import Accelerator
        accelerator = Accelerator()
        net = accelerator.prepare(Net())
        accelerator.load_state("net")
        """,
    "deepspeed": """
        import deepspeed
        engine, _, _, _ = deepspeed.initialize(model=Net(), config="config.json")
        _, state = engine.load_checkpoint("runs", "last")
        """,
    "fvcore": """
        from fvcore.common.checkpoint import Checkpointer
        net = Net()
        Checkpointer(net, "runs").load("net.pth")
        """,
}
FIT = """
class Start({base}):
    def {hook}(self, trainer, module):
        {body}

"""


def codes(folder, code):
    (folder / "train.py").write_text(code)
    report = api.check_all(["train.py"], api.Options())
    # The function that HEAD has is not always called.
    return {finding.code for finding in report.findings} - {"INIT004"}


@pytest.mark.parametrize("code", LOADED.values(), ids=LOADED)
def test_it_is_loaded(folder, code):
    assert not codes(folder, HEAD + textwrap.dedent(code))


def test_an_engine_that_loads_nothing(folder):
    code = "import deepspeed\nnet = Net()\nengine, *_ = deepspeed.initialize(model=net)\n"
    code += "engine.backward(engine(torch.randn(2, 64)).sum())\nengine.step()\n"
    assert codes(folder, HEAD + code) == {"INIT101"}
    assert not codes(folder, HEAD + code.replace("engine.b", "engine.load_checkpoint()\nengine.b"))


def test_a_model_that_is_only_made_from_a_checkpoint(folder):
    code = HEAD + LIT + 'L.Trainer().fit(Lit.load_from_checkpoint("net.ckpt"))\n'
    assert not codes(folder, code)
    assert codes(folder, HEAD + LIT + "L.Trainer().fit(Lit())\n") == {"INIT101"}


@pytest.mark.parametrize("base", ["L.Callback", "object"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("module.net.apply(good)", set()),
        ("module.net.a.weight.data.zero_()", set()),
        ("nn.utils.clip_grad_norm_(module.parameters(), 1.0)", {"INIT101"}),
        ("print(trainer.global_step)", {"INIT101"}),
        ("self.scale = Normalize(0.5)", {"INIT101"}),
    ],
)
def test_a_callback_may_fill(folder, base, body, expected):
    start = FIT.format(base=base, hook="on_fit_start", body=body)
    code = HEAD + LIT + start + "L.Trainer(callbacks=[Start()]).fit(Lit())\n"
    assert codes(folder, code) == expected
    code = f"{HEAD}{LIT}{start}from transformers import Trainer\n"
    code += "Trainer(model=Lit(), callbacks=[Start()]).train()\n"
    assert codes(folder, code) == expected


def test_an_object_that_gets_no_model_fills_none(folder):
    data = "class Data:\n    def prepare(self):\n        self.x.normal_()\n\n"
    code = f"{HEAD}{LIT}{data}L.Trainer().fit(Lit(), datamodule=Data())\n"
    assert codes(folder, code) == {"INIT101"}
