"""Reading and tracing give one record: operations, written-out ones, and what parameters hold."""

import pytest

from initlint.reading import read
from initlint.tracing.build import build_all
from initlint.tracing.layers import layers_of

NET = """\
import math
import torch
import torch.nn.functional as F
from torch import nn


def swish(x, beta=1.0):
    return x * torch.sigmoid(beta * x)


def put(x, index, value):
    x[index] = value
    return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 2)
        self.scale, self.omega = nn.Parameter(torch.ones(8)), 20.0
        self.register_buffer("kept", torch.eye(8))

    def forward(self, x):
        y = self.a(x)
        return self.b({})
"""
# What stands between two layers, by its expression of the first one's result `y`.
FOLLOWING = {
    "F.relu(y)": ("relu", {}),
    "y.relu_()": ("relu", {}),
    "torch.clamp(y, -1, 1)": ("hardtanh", {"min_val": -1.0, "max_val": 1.0}),
    "y.clamp(min=0)": ("relu", {}),
    "y.clamp_min(0.0)": ("relu", {}),
    "torch.clamp(y, 0, 6)": ("relu6", {}),
    "torch.clamp(y, -100, 100).tanh()": ("tanh", {}),
    "torch.maximum(y, torch.zeros_like(y))": ("relu", {}),
    "torch.max(y, 0.1 * y)": ("leaky_relu", {"negative_slope": 0.1}),
    "torch.where(y > 0, y, 0.2 * y)": ("leaky_relu", {"negative_slope": 0.2}),
    "torch.where(0 < y, y, torch.zeros_like(y))": ("relu", {}),
    "torch.where(y > 0, y, torch.exp(y) - 1)": ("elu", {}),
    "torch.where(y >= 0, y, 0.5 * torch.expm1(y))": ("elu", {"alpha": 0.5}),
    "y * (y > 0)": ("relu", {}),
    "y * (y > 0).float()": ("relu", {}),
    "y.masked_fill(y < 0, 0.0)": ("relu", {}),
    "(y + y.abs()) * 0.5": ("relu", {}),
    "torch.log(1 + torch.exp(y))": ("softplus", {}),
    "torch.log1p(y.exp())": ("softplus", {}),
    "y * torch.tanh(F.softplus(y))": ("mish", {}),
    "y * torch.sigmoid(y)": ("silu", {}),
    "swish(y)": ("silu", {}),
    "y * torch.sigmoid(self.scale * y)": ("silu", {}),
    "0.5 * y * (1 + torch.erf(y / math.sqrt(2)))": ("gelu", {}),
    "y * torch.sigmoid(1.702 * y)": ("gelu", {}),
    "0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))": ("gelu", {}),
    "y * torch.special.ndtr(y)": ("gelu", {}),
    "torch.special.softmax(y, -1)": ("softmax", {}),
    "F.threshold(y, 0.0, 0.0)": ("threshold", {"threshold": 0.0, "value": 0.0}),
    "y.clamp(min=torch.tensor(0.0))": ("relu", {}),
    "torch.max(y, torch.tensor(0.0))": ("relu", {}),
    "torch.max(y, 1).values.unsqueeze(1).tanh()": ("tanh", {}),
    "put(y, y < 0, 0)": ("relu", {}),
    "put(y, y > 6, 6).relu()": ("relu", {}),
    "put(y, 0, 0).tanh()": ("tanh", {}),
    "F.elu(y)": ("elu", {"alpha": 1.0}),
    "F.leaky_relu(y)": ("leaky_relu", {"negative_slope": 0.01}),
    "nn.LeakyReLU()(y)": ("leaky_relu", {"negative_slope": 0.01}),
    "F.hardtanh(y) * 2": ("hardtanh", {"min_val": -1.0, "max_val": 1.0}),
    "F.relu(y + self.kept[0])": ("relu", {}),
    "F.relu(y + 1)": ("relu", {}),
    "F.leaky_relu(self.kept[0] + y, 0.3)": ("leaky_relu", {"negative_slope": 0.3}),
    "sum([y, y, y]).relu()": ("relu", {}),
    "y * F.relu6(y + 3) / 6": ("hardswish", {}),
    "F.relu6(y + 3) / 6": ("hardsigmoid", {}),
    "1 / (1 + torch.exp(-y))": ("sigmoid", {}),
    "(torch.exp(y) - torch.exp(-y)) / (torch.exp(y) + torch.exp(-y))": ("tanh", {}),
    "y / (1 + torch.abs(y))": ("softsign", {}),
    "torch.matmul(self.kept, y.t()).t().relu()": ("relu", {}),
    "(self.kept @ y).tanh()": ("tanh", {}),
    "(y @ y.t() @ y).relu()": ("attention", {}),
    "(y / torch.linalg.norm(y, dim=-1, keepdim=True)).relu()": ("relu", {}),
    "(y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)).relu()": ("relu", {}),
    "((y - y.mean(-1, True)) / (y.std(-1, keepdim=True) + 1e-5)).tanh()": ("tanh", {}),
    "(2 / y).relu()": ("unknown", {}),
    "torch.sin(y)": ("unknown", {}),
    "torch.sin(30 * y)": ("sin", {"omega": 30.0}),
    "(30.0 * y).sin()": ("sin", {"omega": 30.0}),
    "torch.sin(y / 4)": ("sin", {"omega": 0.25}),
    "torch.sin(self.omega * y)": ("sin", {"omega": 20.0}),
    "torch.sin(self.scale * y)": ("unknown", {}),
    "torch.sin(3 * y + self.scale)": ("unknown", {}),
    "torch.cos(30 * y)": ("unknown", {}),
    "torch.cat((torch.sin(2 * y), torch.cos(2 * y)), -1)": ("unknown", {}),
    "y + torch.sin(5 * y)**2 / 5": ("mixed", {"activations": ("sin", "linear")}),
    "torch.exp(y)": ("exp", {}),
    "torch.exp(0.5 * y)": ("exp", {}),
    "y + torch.randn_like(y) * y.exp()": ("mixed", {"activations": ("exp", "linear")}),
    "(y * y).relu()": ("unknown", {}),
    "(y + self.scale).sigmoid()": ("sigmoid", {}),
    "(self.scale * y).sigmoid()": ("sigmoid", {}),
    "torch.addcmul(self.scale, y, self.scale).tanh()": ("tanh", {}),
    "(y * self.kept[0]).tanh()": ("tanh", {}),
    "F.dropout(y.view(-1, 8), 0.5).relu()": ("relu", {}),
    "y.to(x.dtype).softmax(-1)": ("softmax", {}),
    "y.chunk(2, -1)[0].repeat(1, 2).relu()": ("relu", {}),
    "torch.cat([y, y], 0).relu()": ("relu", {}),
    "y": ("linear", {}),
}
# What a bare parameter is made of, with the std that it then has; None: nothing wrote it.
CREATED = {
    "torch.empty(8, 8)": None,
    "self.b.weight.new_empty(8, 8)": None,
    "torch.empty_like(torch.randn(8, 8))": None,
    "torch.full((8, 8), 0.01)": ("constant_", 0.0),
    "torch.zeros(8, 8)": ("zeros_", 0.0),
    "torch.randn(8, 8)": ("normal_", 1.0),
    "torch.randn_like(torch.empty(8, 8))": ("normal_", 1.0),
    "torch.randn(8, 8) * 0.02": ("normal_", 0.02),
    "0.02 * torch.randn(8, 8)": ("normal_", 0.02),
    "torch.randn(8, 8) / 4": ("normal_", 0.25),
    "-torch.randn(8, 8)": ("normal_", 1.0),
    "torch.rand(8, 8) * 2 - 1": ("uniform_", 0.57735),
    "1 - torch.rand(8, 8) * 2": ("uniform_", 0.57735),
    "torch.eye(8)": ("eye_", 0.330719),
    "torch.normal(0.0, 0.1, (8, 8))": ("normal_", 0.1),
    "torch.empty(8, 8).normal_(0, 0.05)": ("normal_", 0.05),
    "torch.empty(8, 8).uniform_(-0.1, 0.1)": ("uniform_", 0.057735),
    "torch.empty(8, 8).fill_(0.5)": ("constant_", 0.0),
    "nn.init.orthogonal_(torch.empty(8, 8)) * 0.5": ("orthogonal_", 0.176777),
    "nn.init.xavier_uniform_(torch.empty(8, 8)) / 4": ("xavier_uniform_", 0.088388),
    "torch.randn(8, 8) * math.sqrt(2 / math.pi)": ("normal_", 0.797885),
}
BARE = """\
import math
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.b = nn.Linear(8, 2)
        self.w = nn.Parameter({})

    def forward(self, x):
        return self.b((x @ self.w).relu())
"""


def both(source, tmp_path):
    """The records of one model, by reading its file and by building it."""
    path = tmp_path / "net.py"
    path.write_text(source)
    found = read([str(path)])
    assert found.broken == found.unanalysed == ()
    (built,) = build_all(str(path), {})
    return found.layers, layers_of(built)


def facts(layer):
    """What is compared of a record: all but what one engine alone can know, the values of args."""
    current = layer.current
    return {
        "parameter": layer.parameter,
        "shape": layer.shape,
        "fans": (layer.fan_in, layer.fan_out),
        "following": layer.following.activation,
        "args": {k: v for k, v in layer.following.args.items() if isinstance(v, float)},
        "via": layer.following.via,
        "current": current and (current.name, current.std and round(current.std, 6)),
        "harmless": layer.harmless,
        "before": layer.before,
        "after": layer.after,
        "origin": layer.origin,
        "head": layer.head,
    }


@pytest.mark.parametrize(("expression", "wanted"), FOLLOWING.items(), ids=FOLLOWING)
def test_both_engines_see_the_same_activation(expression, wanted, tmp_path):
    mine, theirs = both(NET.format(expression), tmp_path)
    assert [facts(layer) for layer in mine] == [facts(layer) for layer in theirs]
    following = mine[0].following
    name, args = wanted
    known = {key: pytest.approx(value) for key, value in args.items()}
    found = {key: value for key, value in following.args.items() if key in args or args}
    assert (following.activation, found) == (name, known)


@pytest.mark.parametrize(("expression", "wanted"), CREATED.items(), ids=CREATED)
def test_both_engines_know_what_a_new_tensor_holds(expression, wanted, tmp_path):
    mine, theirs = both(BARE.format(expression), tmp_path)
    assert [facts(layer) for layer in mine] == [facts(layer) for layer in theirs]
    current = mine[0].current
    found = current and (current.name, current.std and round(current.std, 6))
    assert found == wanted


@pytest.mark.parametrize(
    "made", ["torch.Tensor(8, 8)", "torch.FloatTensor(8, 8)", "torch.Tensor(*(8, 8))"]
)
def test_legacy_constructors_of_sizes_write_nothing(tmp_path, made):
    """No mode of torch's sees them run, but their source at the parameter's line."""
    mine, theirs = both(BARE.format(made), tmp_path)
    assert mine[0].current is None
    assert theirs[0].current is None


def test_legacy_constructors_of_values_write_these(tmp_path):
    mine, theirs = both(BARE.format("torch.Tensor([[1.0] * 8] * 8)"), tmp_path)
    assert mine[0].current.name == theirs[0].current.name == "unknown"


def test_the_comparison_can_fail(tmp_path):
    mine, _ = both(NET.format("y.relu()"), tmp_path)
    _, theirs = both(NET.format("y.tanh()"), tmp_path)
    assert facts(mine[0]) != facts(theirs[0])
