"""INIT304: rows of hidden sigmoid layers, in either engine."""

import pytest
from judged import found

CODE = "INIT304"
SOURCE = """from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range({count})])
        self.norm, self.out = nn.LayerNorm(64), nn.Linear(64, 10)
        for layer in self.layers:
            {fill}

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = {step}
        return self.out(x)
"""
both = pytest.mark.parametrize(
    "trace",
    [pytest.param(False, id="read"), pytest.param(True, id="traced", marks=pytest.mark.torch)],
)
XAVIER = "nn.init.xavier_normal_(layer.weight)"
REPORTED = {
    "four with Xavier": (4, XAVIER, "layer(x).sigmoid()"),
    "three with PyTorch's default": (3, "pass", "F.sigmoid(layer(x))"),
    "hardsigmoid": (3, XAVIER, "F.hardsigmoid(layer(x))"),
    "dropout between": (4, XAVIER, "F.dropout(layer(x).sigmoid(), 0.5, self.training)"),
}
SILENT = {
    "two": (2, "pass", "layer(x).sigmoid()"),
    "three with Xavier": (3, XAVIER, "layer(x).sigmoid()"),
    "the gain of Glorot's figure": (
        6,
        "nn.init.xavier_normal_(layer.weight, 4)",
        "layer(x).sigmoid()",
    ),
    "a norm between": (6, XAVIER, "self.norm(layer(x).sigmoid())"),
    "skips": (6, XAVIER, "x + layer(x).sigmoid()"),
    "gates": (6, XAVIER, "x * layer(x).sigmoid()"),
    "every other one tanh": (6, XAVIER, "layer(x).sigmoid() if i % 2 else layer(x).tanh()"),
    "an initialiser that is not known": (6, "elsewhere(layer)", "layer(x).sigmoid()"),
}


@both
@pytest.mark.parametrize(("count", "fill", "step"), REPORTED.values(), ids=REPORTED)
def test_it_is_reported_once(tmp_path, trace, count, fill, step):
    (finding,) = found(tmp_path, SOURCE.format(count=count, fill=fill, step=step), CODE, trace)
    assert finding.parameter == "layers.0.weight" and finding.fix is None
    assert f"the first of {count} hidden sigmoid layers" in finding.message
    assert len(finding.message) <= 160


@both
@pytest.mark.parametrize(("count", "fill", "step"), SILENT.values(), ids=SILENT)
def test_it_is_not_reported(tmp_path, trace, count, fill, step):
    source = SOURCE.format(count=count, fill=fill, step=step)
    if "elsewhere" in source:
        if trace:
            pytest.skip("what is imported does not exist")
        source = f"from somewhere import elsewhere\n{source}"
    assert found(tmp_path, source, CODE, trace) == ()
