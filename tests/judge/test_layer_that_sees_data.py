"""The layer that sees the data: left alone, but before GELU and its kin with others behind it."""

import textwrap

import pytest
import torch

import initlint

NET = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.a, self.b = nn.Linear(32, 64), nn.Linear(64, 64), nn.Linear(64, 64)
            self.out = nn.Linear(64, 4)
            {fill}

        def forward(self, x):
            for layer in (self.first, self.a, self.b):
                x = {act}(layer(x))
            return self.out(x)
"""
BEHIND = "nn.init.kaiming_normal_(self.a.weight); nn.init.kaiming_normal_(self.b.weight)"
CASES = {
    "gelu": ("F.gelu", "pass", True),
    "silu": ("F.silu", "pass", True),
    "mish": ("F.mish", "pass", True),
    "hardswish": ("F.hardswish", "pass", True),
    "relu": ("F.relu", "pass", False),
    "elu passes a weak signal as it is": ("F.elu", "pass", False),
    "softplus has a mean": ("F.softplus", "pass", False),
    "tanh": ("torch.tanh", "pass", False),
    "one layer behind it is off": ("F.gelu", "nn.init.kaiming_normal_(self.a.weight)", False),
    "nothing behind it is off": ("F.gelu", BEHIND, False),
    "someone drew it": ("F.gelu", "nn.init.normal_(self.first.weight, std=0.1)", False),
}


@pytest.mark.parametrize(("act", "fill", "reported"), CASES.values(), ids=CASES)
def test_it_is_reported_with_the_layers_behind_it(judge, act, fill, reported):
    found = judge(NET.format(act=act, fill=fill))
    assert ("first.weight" in found.codes) == reported
    if reported:
        assert found.codes == dict.fromkeys(("first.weight", "a.weight", "b.weight"), "INIT105")
        assert found.recommended()["first.weight"] == pytest.approx(32**-0.5)


@pytest.mark.torch
def test_the_fix_and_apply_give_it_the_gain_one():
    head = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    source = head + textwrap.dedent(NET.format(act="F.gelu", fill="pass"))
    fixed = initlint.fix(source)
    assert "nn.init.normal_(self.first.weight, std=self.first.in_features**-0.5)" in fixed.source
    assert initlint.check(fixed.source).findings == ()
    made: dict[str, type[torch.nn.Module]] = {}
    exec(compile(source, "<net>", "exec"), made)
    net = made["Net"]()
    initlint.apply_(net, torch.randn(4, 32), seed=0)
    assert net.first.weight.std().item() == pytest.approx(32**-0.5, rel=0.1)
