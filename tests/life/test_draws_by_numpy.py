"""Tensors made of NumPy's draws hold these draws; so does what is chosen among several draws."""

import textwrap

import pytest

from initlint import api

NET = """\
import numpy as np, torch, torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, n=64):
        super().__init__()
        self.a = nn.Linear(n, n)
        self.b = nn.Linear(n, n)
        self.c = nn.Linear(n, 10)
        rng = np.random.default_rng(0)
        old = np.random.RandomState(0)
        w = self.b.weight
        with torch.no_grad():
{}

    def forward(self, x):
        return self.c(F.relu(self.b(F.relu(self.a(x)))))
"""
STDS = {
    "w.copy_(torch.from_numpy(np.random.randn(n, n)).float() * 0.01)": 0.01,
    "w.copy_(torch.tensor(np.random.normal(0, 0.01, size=(n, n)), dtype=torch.float32))": 0.01,
    "w.copy_(torch.tensor(np.random.normal(scale=0.02, size=w.shape)))": 0.02,
    "w.copy_(torch.tensor(np.random.uniform(-0.01, 0.01, w.shape)))": 0.02 / 12**0.5,
    "w.copy_(torch.tensor(rng.uniform(high=0.5, size=(n, n)).astype('float32')))": 0.5 / 12**0.5,
    "self.b.weight = nn.Parameter(torch.tensor(rng.normal(size=(n, n)) / 100))": 0.01,
    "w.data = torch.Tensor(old.randn(n, n) * np.sqrt(1 / 64))": 0.125,
    "w.data = torch.FloatTensor(np.sqrt(2 / 64) * old.standard_normal((n, n)))": (2 / 64) ** 0.5,
    "w.data = torch.as_tensor((np.random.rand(n, n) - 0.5) * 2).float()": 2 / 12**0.5,
    "w.data = torch.as_tensor(rng.random((n, n)) - 0.5).float()": 1 / 12**0.5,
    "v = np.random.randn(n, n); v *= 0.01; w.copy_(torch.from_numpy(v))": 0.01,
    # The first of four draws within two std.
    "t = w.new_empty(w.shape + (4,)).normal_()\n"
    "first = ((t < 2) & (t > -2)).max(-1, keepdim=True)[1]\n"
    "w.data.copy_(t.gather(-1, first).squeeze(-1))\n"
    "w.data.mul_(0.01).add_(0)": 0.01,
    # What else was done to the values is not known.
    "v = np.random.randn(n, n); v[0] = 0; w.copy_(torch.from_numpy(v))": None,
    "u, s, v = np.linalg.svd(np.random.randn(n, n)); w.copy_(torch.from_numpy(u))": None,
}


def weight(folder, code):
    (folder / "net.py").write_text(NET.format(textwrap.indent(code, " " * 12)))
    report = api.check_all(["net.py"], api.Options())
    assert not report.unanalysed
    return next(layer for layer in report.layers if layer.layer == "b")


@pytest.mark.parametrize(("code", "std"), STDS.items(), ids=range(len(STDS)))
def test_the_std_of_the_draw_is_known(folder, code, std):
    found = weight(folder, code).current.std
    assert found is None if std is None else found == pytest.approx(std)


COUNTS = [
    *("w[0].numel()", "w.data[0].nelement()", "w.numel() // w.size(0)", "w.shape[1:].numel()"),
    "w.size()[1:].numel()",
]


@pytest.mark.parametrize("fan_in", COUNTS)
def test_a_fan_in_that_counts_elements_is_known(folder, fan_in):
    code = f"w.normal_(0, 1 / ({fan_in}))"
    assert weight(folder, code).current.std == pytest.approx(1 / 64)


@pytest.mark.parametrize("number", ["np.random.rand()", "np.random.uniform()", "rng.normal()"])
def test_a_single_draw_is_a_number(folder, number):
    code = f"if {number} < 0.5:\n    self.seed = 1\nw.normal_(0, 0.01)"
    assert weight(folder, code).current.std == 0.01
