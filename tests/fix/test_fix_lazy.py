"""Lazy layers: what does not suit is said, and why nothing can be written into the constructor."""

from __future__ import annotations

from pathlib import Path

import pytest

from initlint import api

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.LazyConv2d(64, 3)
        self.a = nn.LazyLinear(64)
        self.b = nn.LazyLinear(64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv(x)).flatten(1)
        return self.c(F.relu(self.b(F.relu(self.a(x)))))
"""
MATERIALISED = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(64), nn.ReLU())
        self.net(torch.zeros(1, 300))

    def forward(self, x):
        return self.net(x)
"""
CAST = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.LazyLinear(8), nn.ReLU()).double()

    def forward(self, x):
        return self.net(x)
"""
REASON = "the weight of a lazy layer does not exist before the first forward"
both = pytest.mark.parametrize(
    "trace",
    [pytest.param(False, id="read"), pytest.param(True, id="traced", marks=pytest.mark.torch)],
)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(HEAD + NET)
    return path


@both
def test_a_lazy_layer_that_does_not_suit_is_reported_without_a_fix(net: Path, trace: bool) -> None:
    report = api.check(str(net), trace=trace)
    assert [(f.code, f.layer, f.fix) for f in report.findings] == [
        ("INIT101", "a", None),
        ("INIT101", "b", None),
    ]
    for finding in report.findings:
        said = f"{finding.layer} keeps PyTorch's default before relu: 0.41× the std it needs"
        assert finding.message.startswith(said)
        assert finding.unfixed == REASON


@both
def test_sizes_that_only_the_data_say_are_not_shown(net: Path, trace: bool) -> None:
    layers = api.check(str(net), trace=trace).layers
    assert [layer.nominal for layer in layers] == [True, True, True, False]


@both
def test_the_file_stays_as_it_is(net: Path, trace: bool) -> None:
    fixed = api.fix_all([str(net)], api.Options(trace=trace))
    assert fixed.files == () and len(fixed.findings) == 2
    assert net.read_text() == HEAD + NET


@pytest.mark.torch
def test_after_a_forward_in_the_constructor_the_weight_is_known(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + MATERIALISED)
    report = api.check(str(path), trace=True)
    assert [(layer.type, layer.shape) for layer in report.layers] == [
        ("Linear", (64, 300)),
        ("Linear", (64, 64)),
    ]
    # The first one sees the data.
    assert [finding.layer for finding in report.findings] == ["net.2"]
    refused = api.fix_all([str(path)], api.Options(trace=True)).refused
    assert {reason for _, reason in refused} == {
        "a lazy layer may have no weight yet where the constructor ends"
    }


@pytest.mark.torch
def test_lazy_parameters_may_be_cast(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HEAD + CAST)
    report = api.check(str(path), trace=True)
    assert report.unanalysed == ()
    assert [layer.type for layer in report.layers] == ["Linear", "LazyLinear"]


@pytest.mark.torch
def test_a_fix_beside_lazy_layers_keeps_the_state_dict(net: Path) -> None:
    source = net.read_text().replace("nn.LazyLinear(64)", "nn.Linear(64, 64)", 1)
    net.write_text(source.replace("flatten(1)", "mean((2, 3))"))
    fixed = api.fix_all([str(net)], api.Options(trace=True))
    assert fixed.count == 1
    assert "nn.init.kaiming_normal_(self.a.weight" in fixed.source
