"""What init functions ask of modules is read, also of a model that is built and traced."""

import importlib.util
import sys

import pytest

from initlint import api

pytestmark = pytest.mark.torch

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, init_type="xavier"):
        super().__init__()
        self.inner = nn.ModuleList([nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)])
        for m in self.{walk}():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        for conv in self.inner:
            x = conv(x).relu()
        return x


class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 8))
        for m in self.children():
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.inner(x)
"""


def _written(tmp_path, walk="children"):
    path = tmp_path / "asked_net.py"
    path.write_text(NET.format(walk=walk))
    return path


@pytest.mark.parametrize(
    ("walk", "codes"), [("children", ["INIT003", "INIT011"]), ("modules", ["INIT011"])]
)
def test_a_target_in_a_file(tmp_path, walk, codes):
    path = _written(tmp_path, walk)
    report = api.check_all([f"{path}:Net"], api.Options())
    found = [finding.code for finding in report.findings if finding.code.startswith("INIT0")]
    assert sorted(found) == codes


def test_a_class(tmp_path):
    path = _written(tmp_path)
    spec = importlib.util.spec_from_file_location("asked_net", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["asked_net"] = module
    try:
        spec.loader.exec_module(module)
        found = api.check(module.Other).findings
    finally:
        del sys.modules["asked_net"]
    assert [finding.code for finding in found] == ["INIT003"]


def test_rules_that_were_not_asked_for_read_nothing(tmp_path, monkeypatch):
    path = _written(tmp_path)
    monkeypatch.setattr("initlint.pipeline.judged.read", None)
    report = api.check_all([f"{path}:Net"], api.Options(codes=frozenset({"INIT202"})))
    assert not report.findings
    assert report.layers


def test_nothing_is_said_twice(tmp_path):
    path = _written(tmp_path)
    both = api.check_all([str(path), f"{path}:Net"], api.Options())
    assert [f.code for f in both.findings].count("INIT003") == 2
