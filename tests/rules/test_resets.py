"""INIT022: reset methods that forget a child."""

import pytest
from judged import found

NET = """\
from torch import nn


class Part(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def reset_parameters(self):
        self.fc.reset_parameters()

    def forward(self, x):
        return self.fc(x)


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.parts = nn.ModuleList([Part(), Part()])
        self.norms = nn.ModuleList([nn.LayerNorm(width)])
        self.act = nn.ReLU()
        self.last = nn.Linear(width, 2)

    def reset_parameters(self):
        {body}

    def _rest(self):
        self.last.reset_parameters()
        self.norms[0].reset_parameters()

    def forward(self, x):
        return self.last(self.norms[0](self.parts[1](self.parts[0](x))))
"""
PARTS = "for part in self.parts: part.reset_parameters()"


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("self.last.reset_parameters()", {"parts", "norms"}),
        (PARTS, {"norms", "last"}),
        (f"{PARTS}\n        self.last.reset_parameters()", {"norms"}),
        ("self.last.reset_parameters(); self.norms[0].reset_parameters()", {"parts"}),
        ("self._rest(); self.last.reset_parameters()", {"parts"}),
    ],
)
def test_children_that_are_forgotten(body, missing, tmp_path):
    (finding,) = found(tmp_path, NET.format(body=body), "INIT022")
    assert set(finding.message.rpartition("but not ")[2].split(" and ")) == missing


@pytest.mark.parametrize(
    "body",
    [
        f"{PARTS}\n        self._rest()",
        f"{PARTS}\n        self._rest(); self.last.reset_parameters()",
        "self.last.reset_parameters(); self.apply(print)",
        "self.last.reset_parameters()\n        for m in self.modules(): print(m)",
        "self.last.reset_parameters(); treat(self)",
        "self.last.reset_parameters(); super().reset_parameters()",
        "nn.init.zeros_(self.last.weight)",
        "pass",
        f"{PARTS}\n        self.last.reset_parameters(); nn.init.ones_(self.norms[0].weight)",
    ],
)
def test_children_that_are_not_forgotten(body, tmp_path):
    assert found(tmp_path, NET.format(body=body), "INIT022") == ()


def test_a_frozen_child_is_no_matter(tmp_path):
    source = NET.format(body=f"{PARTS}\n        self.last.reset_parameters()")
    frozen = "self.norms.requires_grad_(False)\n"
    source = source.replace("self.act = nn.ReLU()\n", frozen)
    assert found(tmp_path, source, "INIT022") == ()
