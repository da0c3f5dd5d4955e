"""Initialisers whose arguments lie in a list or dict that is not known: nothing is judged."""

import pytest

import initlint

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, config, args=(), kwargs=None):
        super().__init__()
        self.a = nn.Linear(64, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 64)
        CALL

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))
"""


@pytest.mark.parametrize(
    "call",
    [
        "nn.init.normal_(self.b.weight, *config.moments)",
        "nn.init.normal_(self.b.weight, **config.moments)",
        "nn.init.normal_(self.b.weight, 0.0, **config.moments)",
        "nn.init.uniform_(self.b.weight, *config.ends)",
        "self.b.weight.data.normal_(*config.moments)",
        "self.b.weight.data.normal_(**kwargs)",
        "nn.init.kaiming_uniform_(self.b.weight, **kwargs)",
        "nn.init.constant_(self.b.weight, *config.value)",
        "for f in (self.b,): nn.init.trunc_normal_(f.weight, **vars(config))",
    ],
)
def test_unknown_ones_are_not_the_defaults(tmp_path, call):
    path = tmp_path / "net.py"
    path.write_text(NET.replace("CALL", call))
    report = initlint.check(path)
    layer = next(layer for layer in report.layers if layer.layer == "b")
    assert layer.current.name == "unknown"
    assert [f.code for f in report.findings] == []


@pytest.mark.parametrize(
    "call",
    [
        "nn.init.normal_(self.b.weight, *(0.0, 1.0))",
        "nn.init.normal_(self.b.weight, **{'std': 1.0})",
        "given = {'std': 1.0}\n        nn.init.normal_(self.b.weight, **given)",
        "nn.init.normal_(self.b.weight)",
    ],
)
def test_known_ones_are_taken(tmp_path, call):
    path = tmp_path / "net.py"
    path.write_text(NET.replace("CALL", call))
    assert [f.code for f in initlint.check(path).findings] == ["INIT106"]
