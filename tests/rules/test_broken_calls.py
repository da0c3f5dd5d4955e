"""INIT002, INIT007, INIT018: calls whose result is lost, that raise, or that forward undoes."""

import pytest

from initlint import api
from initlint.reading.abstract.holders import Instance
from initlint.reading.fills import effects

NET = """\
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.orthogonal_(m.weight)


def init_by_attribute(m):
    if hasattr(m, "weight"):
        nn.init.orthogonal_(m.weight)
    if hasattr(m, "bias") and m.bias is not None:
        nn.init.zeros_(m.bias)


def layer_init(layer, gain=1.0):
    nn.init.orthogonal_(layer.weight, gain)
    return layer


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x):
        return self.conv(x)


def by_name(m):
    if m.__class__.__name__.find("Part") != -1 or isinstance(m, nn.Linear):
        m.weight.data.normal_(0, 0.1)


def of_root(m):
    nn.init.zeros_(m.fc.weight)


class Net(nn.Module):
    def __init__(self, n=8, scheme="relu"):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.bare = nn.Linear(n, n, bias=False)
        self.body = nn.Sequential(nn.Linear(n, n), nn.ReLU())
        self.w = nn.Parameter(torch.zeros(n, n))
        self.b = nn.Parameter(torch.zeros(n))
        self.fixed = nn.Parameter(torch.zeros(n), requires_grad=False)
        self.wrapped = {wrap}(nn.Linear(n, n))
        self.spectral = spectral_norm(nn.Linear(n, n))
        self.new = parametrizations.{wrap}(nn.Linear(n, n))
        self.part = Part()
        {line}

    def forward(self, x):
        x = self.body(self.fc(x) @ self.w + self.b)
        return self.bare(x) + self.wrapped(x) + self.spectral(x) + self.new(x)
"""
CODES = frozenset(["INIT002", "INIT007", "INIT018"])


def written(tmp_path, line, wrap="weight_norm"):
    """A file with a model whose constructor has this line; two of its layers are wrapped."""
    source = NET.replace("{line}", line.replace("\n", "\n        "))
    source = source.replace("{wrap}", wrap) if wrap else _unwrapped(source)
    (tmp_path / "net.py").write_text(source)


def _unwrapped(source):
    return source.replace("parametrizations.{wrap}", "").replace("{wrap}", "")


def codes(tmp_path, line, wrap="weight_norm"):
    written(tmp_path, line, wrap)
    report = api.check_all([str(tmp_path / "net.py")], api.Options(codes=CODES))
    assert report.layers
    return [finding.code for finding in report.findings]


RNN = "self.rnn = nn.LSTM(n, n, 3)\n"
BIASES = (
    RNN + "for name, p in self.rnn.named_parameters():\n    if {}:\n        p.data[n:2 * n] = 1"
)
LOST = [
    RNN + "self.rnn.bias_ih_l0.data[n:2 * n].fill_(1)",
    BIASES.format("name == 'bias_hh_l0'"),
    BIASES.format("name == 'bias_hh_l0'") + "\n    elif 'bias' in name:\n        nn.init.zeros_(p)",
    "nn.init.zeros_(self.w.clone())",
    "nn.init.zeros_(self.w.data.clone())",
    "self.w.clone().normal_()",
    "self.w.data[[0, 1]].zero_()",
    "self.w.data[self.w.data > 1].zero_()",
    "self.w.data.mul(0.1)",
    "self.fc.weight.data.clamp(-1, 1)",
    "torch.clamp(self.w, 0, 1)",
    "torch.full((n,), 1.0)",
    "torch.zeros_like(self.w)",
    "self.w.data.copy_ = torch.eye(n)",
    "self.fc.weight.data.fill_ = 0.5",
    "self.fc.reset_parameters",
    "init_weights(self.w)",
    "init_weights(self.body)",
    "init_by_attribute(self.w)",
    "w = self.w\nw = torch.randn(n, n) * 0.01",
    "for p in self.fc.parameters():\n    p = torch.zeros_like(p)",
    "for name, p in self.fc.named_parameters():\n    if 'bias' in name:\n        p = p * 0",
    "copy = self.b.detach().clone()\nnn.init.zeros_(copy)",
    "copy = self.w.data.clone()\ncopy.normal_()",
    "layer_init(self.bare, 0.1)\nlayer_init(self.bare)",
    "for layer in [self.fc, self.bare]:\n    layer.weight.data.div(2)",
    "nn.init.orthogonal_(self.bare.weight, 0.1)\nnn.init.orthogonal_(self.bare.weight)",
]
KEPT = [
    BIASES.format("'bias_ih' in name"),
    BIASES.format("name.startswith('bias')"),
    RNN + "self.rnn.bias_ih_l0.data.fill_(1)",
    RNN.replace("3", "1") + "self.rnn.bias_ih_l0.data[n:2 * n].fill_(1)",
    "nn.init.zeros_(self.w)",
    "self.w.data[0].zero_()",
    "self.w.data[None].zero_()",
    "self.w.data.mul_(0.1)",
    "self.w.data.view(-1)[:3].fill_(1)",
    "w = torch.empty(n, n)\nnn.init.ones_(w)\nself.w = nn.Parameter(w)",
    "self.w.data = self.w.data.mul(0.1)",
    "self.register_buffer('ones', torch.ones(n))",
    "init_weights(self.fc)",
    "init_by_attribute(self.fc)",
    "w = self.w\nw = w * 2\nself.w = nn.Parameter(w)",
    "for p in self.parameters():\n    p = p.data\n    p.zero_()",
    "for p in self.parameters():\n    q = torch.zeros_like(p)\n    p.data = q",
    "copy = self.b.detach().clone()\nnn.init.zeros_(copy)\nself.b = nn.Parameter(copy)",
    "layer_init(self.bare, 0.1)\nlayer_init(self.fc)",
    "self.body.apply(init_weights)",
    "torch.manual_seed(0)\ntorch.rand(1)",
    "torch.zeros(1).cuda()",
    "self.fc.reset_parameters()",
    "for layer in (self.fc, self.bare):\n    nn.init.orthogonal_(layer.weight)\n"
    "nn.init.orthogonal_(self.bare.weight, 0.1)",
    "print(self.w.data.mul(0.1).sum())",
]
RAISING = [
    "nn.init.xavier_uniform_(self.b)",
    "nn.init.kaiming_normal_(self.fc.bias)",
    "nn.init.orthogonal_(self.b.data)",
    "nn.init.uniform_(self.w, 1.0, 0.02)",
    "self.w.data.uniform_(0.1, -0.1)",
    "nn.init.normal_(self.w, 0, -0.1)",
    "nn.init.trunc_normal_(self.w, std=0)",
    "nn.init.kaiming_normal_(self.w, nonlinearity='gelu')",
    "nn.init.kaiming_normal_(self.w, mode='in')",
    "nn.init.kaiming_uniform_(self.w, 'relu')",
    "nn.init.xavier_normal_(self.w, gain=nn.init.calculate_gain('gelu'))",
    "nn.init.sparse_(self.part.conv.weight, 0.1)",
    "nn.init.dirac_(self.w)",
    "nn.init.xavier_uniform_(self.fc)",
    "nn.init.zeros_(self.bare.bias)",
    "self.bare.bias.data.zero_()",
    "nn.init.zeros(self.w)",
    "nn.init.zeros_(self.cf.weight)",
    "self.cf.weight.data.zero_()",
    "nn.init.zeros_(self.body.weight)",
    "self.w.normal_()",
    "self.w[0] = 1",
    "self.w *= 0.5",
    "self.part.apply(by_name)",
    "self.apply(of_root)",
    "for m in self.modules():\n    nn.init.zeros_(m.in_proj_weight)",
    "for m in self.modules():\n    nn.init.normal_(m.weight)",
]
RUNNING = [
    "sizes = scheme.sizes\nself.t = nn.Parameter(torch.Tensor(n, *sizes))\n"
    "nn.init.xavier_uniform_(self.t)",
    "nn.init.xavier_uniform_(self.b[None])",
    "nn.init.xavier_uniform_(self.b.view(1, -1))",
    "nn.init.uniform_(self.w, 0.02, 1.0)",
    "nn.init.kaiming_normal_(self.w, mode='FAN_IN')",
    "if self.bare.bias is not None:\n    self.bare.bias.data.zero_()",
    "with torch.no_grad():\n    self.w.normal_()\n    self.w[0] = 1\n    self.w *= 0.5",
    "self.fixed.normal_()",
    "for m in self.modules():\n    if hasattr(m, 'fc'):\n        of_root(m)",
    "for m in self.modules():\n    if hasattr(m, 'modules') and hasattr(m, 'reset_parameters'):\n"
    "        m.reset_parameters()",
    "self.fc.kind = nn.Linear(n, n)\nnn.init.zeros_(self.fc.kind.weight)",
    "self.w.requires_grad_(False)",
    "for p in self.parameters():\n    if p.dim() > 1:\n        nn.init.xavier_uniform_(p)",
    "try:\n    nn.init.xavier_uniform_(self.b, nn.init.calculate_gain('gelu'))\n"
    "except ValueError:\n    pass",
    "try:\n    nn.init.xavier_uniform_(self.b)\nexcept ValueError:\n    pass",
    "for m in self.modules():\n    if hasattr(m, 'weight'):\n        nn.init.ones_(m.weight)",
    "for m in self.modules():\n    if getattr(m, 'weight', None) is not None:\n"
    "        nn.init.ones_(m.weight)",
    "if scheme == 'tanh':\n    nn.init.xavier_uniform_(self.b)",
    "setattr(self, 'cf' + scheme[:0], nn.Linear(n, n))\nself.cf.weight.data.zero_()",
]
UNDONE = [
    "self.wrapped.weight.data.normal_()",
    "nn.init.normal_(self.wrapped.weight)",
    "with torch.no_grad():\n    self.wrapped.weight.zero_()",
    "self.new.weight.data.normal_()",
    "nn.init.normal_(self.new.weight)",
]
DONE = [
    "self.wrapped.bias.data.zero_()",
    "nn.init.normal_(self.wrapped.weight_v)",
    "self.spectral.weight.data.normal_()",
    "nn.init.normal_(self.spectral.weight)",
    "for p in self.parameters():\n    if p.dim() > 1:\n        nn.init.xavier_uniform_(p)",
    "layer = nn.Linear(n, n)\nnn.init.normal_(layer.weight)\nself.wrapped = weight_norm(layer)",
]


@pytest.mark.parametrize("line", LOST)
def test_what_nobody_keeps(tmp_path, line):
    assert codes(tmp_path, line) == ["INIT002"]


@pytest.mark.parametrize("line", RAISING)
def test_what_raises(tmp_path, line):
    assert codes(tmp_path, line, wrap="") == ["INIT007"]


@pytest.mark.parametrize("line", UNDONE)
def test_what_forward_undoes(tmp_path, line):
    assert codes(tmp_path, line) == ["INIT018"]


@pytest.mark.parametrize("line", [*KEPT, *RUNNING])
def test_what_fills(tmp_path, line):
    assert codes(tmp_path, line, wrap="") == []


@pytest.mark.parametrize("line", DONE)
def test_what_stays_of_a_wrapped_layer(tmp_path, line):
    assert codes(tmp_path, line) == []


@pytest.mark.torch
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nn.init.uniform_(self.w, 1.0, 0.02)", "INIT007"),
        ("nn.init.trunc_normal_(self.w, a=2.0, b=-2.0)", "INIT007"),
        ("nn.init.normal_(self.wrapped.weight)", "INIT018"),
        ("nn.init.normal_(self.new.weight)", "INIT018"),
        ("nn.init.orthogonal_(self.new.weight.data)", "INIT018"),
    ],
)
def test_what_meta_hides_is_found_in_a_built_model(tmp_path, line, code):
    written(tmp_path, line)
    target = f"{tmp_path / 'net.py'}:Net"
    report = api.check_all([target], api.Options(codes=CODES))
    assert [finding.code for finding in report.findings] == [code]


@pytest.mark.torch
def test_what_torch_has_is_not_called_missing():
    from torch import nn

    sizes = {"Embedding": (2, 2), "LayerNorm": (2,), "RMSNorm": (2,), "GroupNorm": (1, 2)}
    for kind in effects._LAYERS:
        given = (2, 2, 1) if "Conv" in kind or kind == "Bilinear" else sizes.get(kind, (2, 2))
        layer = getattr(nn, kind)(*given)
        read = Instance(None, kind)
        # Another library may have put methods of its own into torch's classes (transformers does).
        homes = {name: getattr(getattr(layer, name), "__module__", None) for name in dir(layer)}
        names = [name for name, home in homes.items() if not str(home).startswith("transformers")]
        assert [name for name in names if effects.lacks(read, name)] == []
