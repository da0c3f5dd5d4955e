"""Ways of writing a model: reading gives the same layers and answers as building and tracing."""

import textwrap

import pytest

from initlint.reading import read
from initlint.tracing.build import build_all
from initlint.tracing.layers import layers_of

HEAD = """\
import copy, math
from collections import OrderedDict
from functools import partial
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn import init
"""

FORMS = {
    "a dataclass": """
        from dataclasses import dataclass, field
        @dataclass
        class Config:
            width: int = 16
            inner: int = 0
            def __post_init__(self):
                self.inner = 4 * self.width
        class Base(nn.Module):
            def __new__(cls, *args, **kwargs):
                made = super().__new__(cls)
                nn.Module.__init__(made)
                return made
        @dataclass(eq=False)
        class Net(Base):
            width: int = 16
            a: nn.Module = field(init=False, default_factory=lambda: nn.Linear(8, 16))
            def __post_init__(self):
                self.b = nn.Linear(self.width, Config(self.width).inner)
                nn.init.xavier_uniform_(self.a.weight)
            def forward(self, x):
                return torch.tanh(self.b(F.relu(self.a(x))))
    """,
    "methods that are assigned": """
        def chained(self, x):
            return self.b(F.relu(self.a(x)))
        class Chains:
            @staticmethod
            def forward(self, x):
                return torch.tanh(chained(self, x))
        class Inner(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.a = nn.Linear(width, 16)
                self.b = nn.Linear(16, 8)
            forward = Chains.forward
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = Inner(8)
                self.a = nn.Linear(8, 16)
                self.b = nn.Linear(16, 4)
            _chained = chained
            __getitem__ = None
            def forward(self, x):
                return self._chained(self.inner(x))
    """,
    "a constructor that calls the user's reset_parameters": """
        class Default(nn.Linear):
            def reset_parameters(self):
                super().reset_parameters()
                init.zeros_(self.bias)
        class Given(nn.Linear):
            def __init__(self, into, out, fill=init.xavier_uniform_):
                self.fill = fill
                super().__init__(into, out)
            def reset_parameters(self):
                self.fill(self.weight)
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = Default(8, 16)
                self.b = Given(16, 16)
                self.c = Given(16, 16, init.kaiming_normal_)
                self.d = nn.Linear(16, 4)
            def forward(self, x):
                return self.d(F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))))
    """,
    "plain attributes": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Linear(8, 16)
                self.b = nn.Linear(16, 4)
            def forward(self, x):
                return self.b(F.relu(self.a(x)))
    """,
    "a literal Sequential": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2), nn.Conv2d(8, 4, 1))
            def forward(self, x):
                return torch.tanh(self.net(x))
    """,
    "an OrderedDict": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(OrderedDict([("fc", nn.Linear(3, 8)), ("act", nn.GELU())]))
            def forward(self, x):
                return self.net(x)
    """,
    "a list that grows": """
        class Net(nn.Module):
            def __init__(self, widths=(8, 16, 32), norm=True):
                super().__init__()
                layers, last = [], 3
                for width in widths:
                    layers.append(nn.Linear(last, width))
                    if norm:
                        layers += [nn.LayerNorm(width)]
                    layers.append(nn.SiLU())
                    last = width
                self.net = nn.Sequential(*layers)
                self.head = nn.Linear(last, 2)
            def forward(self, x):
                return self.head(self.net(x))
    """,
    "a list of modules": """
        class Net(nn.Module):
            def __init__(self, depth=4):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(depth)])
                self.last = len(self.layers) - 1
            def forward(self, x):
                for i, layer in enumerate(self.layers):
                    x = layer(x)
                    if i < self.last:
                        x = torch.tanh(x)
                return x
    """,
    "a dict of modules": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
            def forward(self, x):
                return self.parts["b"](self.parts["a"](x).sigmoid())
    """,
    "blocks with a residual": """
        class Block(nn.Module):
            def __init__(self, dim, act=nn.ReLU):
                super().__init__()
                self.norm = nn.LayerNorm(dim)
                self.up, self.act = nn.Linear(dim, 4 * dim), act()
                self.down = nn.Linear(4 * dim, dim)
            def forward(self, x):
                return x + self.down(self.act(self.up(self.norm(x))))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = nn.Sequential(*[Block(8, act=nn.GELU) for _ in range(3)])
                self.head = nn.Linear(8, 2)
            def forward(self, x):
                return self.head(self.blocks(x).mean(1))
    """,
    "a helper method": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = self._make(3, 8)
                self.body = self._make(8, 8)
            def _make(self, a, b):
                return nn.Sequential(nn.Conv2d(a, b, 3, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            def forward(self, x):
                return self.body(self.stem(x))
    """,
    "a factory function": """
        def mlp(*sizes, act=nn.Tanh):
            layers = []
            for a, b in zip(sizes[:-1], sizes[1:]):
                layers += [nn.Linear(a, b), act()]
            return nn.Sequential(*layers[:-1])
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = mlp(4, 8, 8, 2)
            def forward(self, x):
                return self.net(x)
    """,
    "a base class": """
        class Base(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.fc = nn.Linear(width, width)
            def features(self, x):
                return F.elu(self.fc(x))
        class Net(Base):
            def __init__(self):
                super().__init__(6)
                self.head = nn.Linear(6, 2)
            def forward(self, x):
                return self.head(self.features(x))
    """,
    "a subclass of a layer": """
        class MyLinear(nn.Linear):
            def __init__(self, a, b):
                super().__init__(a, b, bias=False)
            def forward(self, x):
                return super().forward(x).relu()
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = MyLinear(4, 8), MyLinear(8, 2)
            def forward(self, x):
                return self.b(self.a(x))
    """,
    "a partial and a string": """
        ACTS = {"relu": nn.ReLU, "mish": nn.Mish}
        class Net(nn.Module):
            def __init__(self, act="mish", conv=partial(nn.Conv2d, kernel_size=3, padding=1)):
                super().__init__()
                self.a, self.act, self.b = conv(3, 8), ACTS[act](), conv(8, 8)
            def forward(self, x):
                return F.softplus(self.b(self.act(self.a(x))))
    """,
    "copies": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                layer = nn.Linear(4, 4)
                self.a = copy.deepcopy(layer)
                self.b = copy.deepcopy(layer)
            def forward(self, x):
                return self.b(F.relu(self.a(x))).sigmoid()
    """,
    "written-out activations": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c, self.d = (nn.Linear(4, 4) for _ in range(4))
                self.e = nn.Linear(4, 4)
            def forward(self, x):
                x = self.a(x)
                x = self.b(x * torch.sigmoid(x))
                x = self.c(torch.clamp(x, min=0))
                x = 0.5 * self.d(x * F.relu6(x + 3) / 6)
                x = 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
                return self.e(x)
    """,
    "a written-out norm": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            def forward(self, x):
                x = self.a(x)
                x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
                return self.b(F.relu(x))
    """,
    "attention": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)
            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                x = (q @ k.transpose(-2, -1)).softmax(-1) @ v
                return F.relu(self.proj(x))
    """,
    "gates": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.up, self.gate, self.down = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
            def forward(self, x):
                return self.down(F.silu(self.gate(x)) * self.up(x))
    """,
    "blocks that are spelled out in texts": """
        import re
        def decoded(text):
            kind, *parts = text.upper().split("_")
            options = {}
            for part in parts:
                key, value, _ = re.split(r"(\\d.*)", part)
                options[key.lower()] = value
            return kind.lower(), int(options["k"]), float(options.get("e", 1))
        class Net(nn.Module):
            def __init__(self, plan=("relu_k3_e2", "tanh_k5_e0.5", "none_k1")):
                super().__init__()
                self.names, width = [], 8
                for place, (kind, kernel, factor) in enumerate(map(decoded, plan)):
                    self.names.append("-".join([f"{place:02d}", kind]))
                    inner = int(width * factor)
                    layer = nn.Conv2d(width, inner, kernel, padding=kernel // 2)
                    self.add_module(self.names[-1], layer)
                    width = inner
            def forward(self, x):
                for name in self.names:
                    x = getattr(self, name)(x)
                    if name.endswith("relu"):
                        x = F.relu(x)
                    elif name.partition("-")[2].startswith("tanh"):
                        x = torch.tanh(x)
                return x
    """,
    "containers that keep more than modules": """
        class Stack(nn.ModuleList):
            def __init__(self, count):
                super().__init__()
                self.count, self.name = count, "stack"
                for _ in range(count):
                    self.append(nn.Linear(8, 8))
            def forward(self, x):
                for layer in self:
                    x = torch.tanh(layer(x))
                return x if self.count else None
        class Heads(nn.ModuleDict):
            def __init__(self, names):
                super().__init__()
                self.names = names
                for name in names:
                    self[name] = nn.Linear(8, 4)
            def forward(self, x):
                return sum(F.gelu(head(x)) for head in self.values())
        class Steps(nn.Sequential):
            def __init__(self):
                super().__init__(nn.Linear(4, 8), nn.ReLU())
                self.width = 8
                self.append(nn.Linear(self.width, 4))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.stack, self.heads, self.steps = Stack(2), Heads(["p", "q"]), Steps()
            def forward(self, x):
                return self.steps(self.heads(self.stack(x)))
    """,
    "a forward that is chosen": """
        class Act(nn.Module):
            def __init__(self, kind):
                super().__init__()
                self.fc = nn.Linear(8, 8)
                if kind == "relu":
                    self.forward = self.relu
                else:
                    self.forward = self.tanh
            def relu(self, x):
                return F.relu(self.fc(x))
            def tanh(self, x):
                return torch.tanh(self.fc(x))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.c = Act("relu"), Act("tanh"), nn.Linear(8, 2)
            def forward(self, x):
                return self.c(self.b(self.a(x)))
    """,
    "layers from partial functions": """
        def rebound(layer, **more):
            keywords = {}
            if isinstance(layer, partial):
                keywords.update(layer.keywords)
                layer = layer.func
            return partial(layer, **keywords, **more)
        class Net(nn.Module):
            def __init__(self, conv=partial(nn.Conv2d, kernel_size=3), norm=nn.BatchNorm2d):
                super().__init__()
                self.a = rebound(conv, padding=1)(3, 8)
                self.norm = norm(8) if not isinstance(norm, partial) else None
                self.b = rebound(nn.Conv2d, kernel_size=1)(8, 4)
            def forward(self, x):
                return torch.sigmoid(self.b(F.relu(self.norm(self.a(x)))))
    """,
    "tensors that are filled before they become parameters": """
        class Net(nn.Module):
            def __init__(self, flag=False):
                super().__init__()
                a, b, c, d = (torch.empty(8, 8) for _ in range(4))
                a.normal_(0, 0.02)
                init.xavier_uniform_(b)
                c.data.uniform_(-0.1, 0.1)
                for row in range(8):
                    d[row] = 0.1 * row
                self.a, self.b, self.c = nn.Parameter(a), nn.Parameter(b), nn.Parameter(c)
                self.d, self.e = nn.Parameter(d), nn.Parameter(torch.randn(8, 8).mul(0.02))
                self.f = nn.Parameter(init.orthogonal_(torch.empty(8, 8)))
                self.g = nn.Parameter(torch.empty(8, 8).uniform_(-0.2, 0.2))
                h = torch.empty(8, 8)
                self.h = nn.Parameter(h)
                with torch.no_grad():
                    h.normal_(std=0.3)
                if flag:
                    a.zero_()
                self.i = nn.Parameter(torch.empty(8, 8))
            def forward(self, x):
                for weight in (self.a, self.b, self.c, self.d, self.e):
                    x = F.relu(F.linear(x, weight))
                for weight in (self.f, self.g, self.h, self.i):
                    x = torch.tanh(x @ weight)
                return x
    """,
    "activations in place": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(5)])
                self.relu, self.leaky = nn.ReLU(inplace=True), nn.LeakyReLU(0.1, True)
            def forward(self, x):
                a, b, c, d, e = self.layers
                x = a(x)
                F.relu(x, inplace=True)
                x = b(x)
                self.leaky(x)
                y = x = c(x)
                self.relu(y)
                x = d(x)
                F.leaky_relu(x, 0.2, True)
                x = e(x)
                x.tanh_()
                return torch.sigmoid(x)
    """,
    "lists and containers that lose and gain": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                layers = []
                for _ in range(3):
                    layers += [nn.Linear(8, 8), nn.Tanh()]
                del layers[-1]
                layers[1:2] = [nn.ReLU()]
                self.a = nn.Sequential(*layers)
                del self.a[3]
                self.b = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
                self.b.insert(1, nn.LayerNorm(8))
                self.b.pop(4)
                dropped = nn.Sigmoid()
                steps = [nn.Linear(8, 8), dropped, nn.Linear(8, 8), nn.GELU(), nn.Tanh()]
                steps.remove(dropped)
                steps.insert(1, nn.SiLU())
                del steps[4:]
                self.c = nn.ModuleList(steps)
                self.d = nn.ModuleDict({"p": nn.Linear(8, 8), "q": nn.Linear(8, 8)})
                self.d.pop("q")
                self.b._modules["2"] = nn.Tanh()
            def forward(self, x):
                x = self.b(self.a(x))
                for step in self.c:
                    x = step(x)
                for part in self.d.values():
                    x = F.elu(part(x))
                return x
    """,
    "an einsum over any number of dimensions": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.randn(8, 16) * 0.1)
                self.b = nn.Parameter(torch.randn(4, 16) * 0.1)
            def forward(self, x):
                x = torch.einsum("... i, i o -> ... o", x, self.a).relu()
                return torch.tanh(torch.einsum("...i,oi->...o", x, self.b))
    """,
    "a random mask": """
        def dropped(x, probability, training):
            if not training:
                return x
            mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(1 - probability)
            return x * mask
        class Net(nn.Module):
            def __init__(self, probability=None):
                super().__init__()
                self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 4)
                self.probability = probability or torch.rand(()).item()
            def forward(self, x):
                return self.b(F.relu(dropped(self.a(x), self.probability, self.training)))
    """,
    "functions made by a function": """
        def times(count):
            def repeat(value):
                return (value,) * count if not isinstance(value, tuple) else value
            return repeat
        pair, triple = times(2), times(3)
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Conv2d(1, 4, pair(3))
                self.b = nn.Conv3d(1, 4, triple(3))
                self.c = nn.Conv2d(4, 4, pair(triple(1)[:2]))
            def forward(self, x):
                return self.c(self.a(x).relu()), self.b(x[None]).sigmoid()
    """,
    "a bare parameter": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.empty(8, 4))
                self.scale = nn.Parameter(torch.ones(8))
                nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
            def forward(self, x):
                return F.relu(F.linear(x, self.weight) * self.scale)
    """,
    "early returns and optional parts": """
        class Net(nn.Module):
            def __init__(self, dim=8, skip=None, drop=0.0):
                super().__init__()
                self.fc = nn.Linear(dim, dim)
                self.skip = skip
                self.drop = nn.Dropout(drop) if drop > 0 else nn.Identity()
            def forward(self, x, mask=None):
                x = self.drop(self.fc(x))
                if self.skip is not None:
                    x = self.skip(x)
                if mask is None:
                    return x.relu()
                return x.relu() * mask
    """,
    "a recurrent layer": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn, self.fc = nn.RNN(4, 8, batch_first=True), nn.Linear(8, 2)
            def forward(self, x):
                out, state = self.rnn(x)
                return self.fc(out[:, -1])
    """,
    "transposed and grouped": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Conv2d(8, 16, 3, groups=4)
                self.b = nn.ConvTranspose2d(16, 8, 4, 2, 1)
            def forward(self, x):
                return F.hardswish(self.b(F.leaky_relu(self.a(x), 0.1)))
    """,
}

# Tracing sees such a function as one that it does not know.
READ = """
class Forgetful(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.mul(torch.sigmoid(x))
    @staticmethod
    def backward(ctx, gradient):
        return gradient
class Modern(torch.autograd.Function):
    @staticmethod
    def forward(x, slope):
        return F.leaky_relu(x, slope)
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    def forward(self, x):
        return self.c(Modern.apply(self.b(Forgetful.apply(self.a(x))), 0.2))
"""


@pytest.mark.parametrize(
    "line",
    [
        "init.normal_(self.a.weight[:, 2:], 0, 1e-3)",
        "init.zeros_(self.a.weight[0])",
        "self.a.weight.data[1:].zero_()",
        "for row in self.a.weight:\n            init.normal_(row)",
        "for part in self.a.weight.chunk(2):\n            init.xavier_uniform_(part)",
        "one, two = self.a.weight.chunk(2)\n        init.xavier_uniform_(two)",
        "init.kaiming_normal_(self.a.weight.t())",
    ],
)
def test_a_part_that_is_filled_says_nothing_of_the_whole(line, tmp_path):
    path = tmp_path / "net.py"
    text = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 8)
        init.kaiming_normal_(self.a.weight)
        {line}
    def forward(self, x):
        return F.relu(self.a(x))
"""
    path.write_text(HEAD + text)
    assert [layer.current.name for layer in read([str(path)]).layers] == ["unknown"]


@pytest.mark.parametrize(
    "expression",
    [
        "torch.where(z > 0, z, torch.zeros_like(z))",
        "torch.where(z > 0, z, 0.1 * z)",
        "z * (z > 0)",
        "z * z.gt(0).float()",
        "z.masked_fill(z < 0, 0)",
        "torch.max(z, -z * z)",
    ],
)
def test_what_a_sign_lets_pass_is_not_said_to_be_linear(expression, tmp_path):
    path = tmp_path / "net.py"
    text = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
    def forward(self, x):
        z = self.a(x)
        return self.b({expression})
"""
    path.write_text(HEAD + text)
    found = read([str(path)]).layers[0].following.activation
    assert found in ("unknown", "relu", "leaky_relu")


@pytest.mark.parametrize(
    "line",
    [
        "w.view(-1).normal_()",
        "w[0].zero_()",
        "w.t().copy_(torch.eye(8))",
        "w.add_(1)",
        "fill(w)",
        "if unknown():\n            w.normal_()",
    ],
)
def test_a_tensor_that_may_have_been_written_is_not_said_to_be_empty(line, tmp_path):
    path = tmp_path / "net.py"
    text = f"""
from elsewhere import fill, unknown
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        w = torch.empty(8, 8)
        {line}
        self.w = nn.Parameter(w)
    def forward(self, x):
        return F.relu(F.linear(x, self.w))
"""
    path.write_text(HEAD + text)
    assert [layer.current.name for layer in read([str(path)]).layers] == ["unknown"]


def test_functions_with_gradients_of_their_own_are_followed(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(HEAD + READ)
    found = [layer.following.activation for layer in read([str(path)]).layers]
    assert found == ["silu", "leaky_relu", "output"]


FILLED = {
    "one by one": "init.xavier_uniform_(self.a.weight, 2)\nself.b.weight.data.normal_(0, 0.02)",
    "a loop": """
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Conv2d):
                nn.init.ones_(m.weight)
    """,
    "apply": "self.apply(self._fill)",
    "a method": "self.reset()",
    "by name": """
        for name, p in self.named_parameters():
            if "weight" in name:
                nn.init.trunc_normal_(p, std=0.1)
    """,
    "the last write": "init.zeros_(self.a.weight)\ninit.orthogonal_(self.a.weight)",
    "drawn again": "init.zeros_(self.a.weight)\nself.a.reset_parameters()",
    "all drawn again": """
        init.zeros_(self.a.weight)
        for layer in self.children():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    """,
    "scaled": "with torch.no_grad():\n    self.a.weight.mul_(0.5)\n    self.b.weight.div_(2)",
    "from the fan": "nn.init.normal_(self.a.weight, std=math.sqrt(2 / self.a.in_features))",
    "copied": "self.a.weight.data.copy_(torch.randn(8, 4) * 0.3)",
    "tied": "self.b.weight = self.a.weight",
}


def filled(text):
    body = textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 8)
    return f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 8)
        self.b = nn.Linear(8, 4)
{body}
    def _fill(self, module):
        if isinstance(module, nn.Linear):
            init.uniform_(module.weight, -0.1, 0.1)
    def reset(self):
        init.kaiming_uniform_(self.a.weight, a=0.3)
        for layer in (self.b,):
            init.xavier_normal_(layer.weight)
    def forward(self, x):
        return F.relu(self.b(F.relu(self.a(x))))
"""


CASES = {
    **{name: textwrap.dedent(text) for name, text in FORMS.items()},
    **{f"filled: {name}": filled(text) for name, text in FILLED.items()},
}


def facts(layer):
    current = layer.current
    std = None if current is None or current.std is None else round(current.std, 6)
    return {
        "parameter": layer.parameter,
        "type": layer.type,
        "shape": layer.shape,
        "fans": (layer.fan_in, layer.fan_out),
        "activation": layer.following.activation,
        "via": layer.following.via,
        "std": std,
        "default": current is not None and current.default,
        "line": layer.site and (layer.site.line, layer.site.column),
        "harmless": layer.harmless,
        "branch": layer.branch,
        "before": layer.before,
        "after": layer.after,
        "origin": layer.origin,
        "head": layer.head,
    }


def traced(path):
    found = build_all(str(path), {})
    (built,) = [model for model in found if getattr(model, "name", "").endswith(":Net")]
    return {layer.parameter: facts(layer) for layer in layers_of(built)}


@pytest.mark.parametrize("source", CASES.values(), ids=CASES)
def test_reading_agrees_with_tracing(source, tmp_path):
    path = tmp_path / "net.py"
    path.write_text(HEAD + source)
    found = read([str(path)])
    assert found.broken == found.unanalysed == ()
    mine = {layer.parameter: facts(layer) for layer in found.layers if layer.model == "Net"}
    assert mine == traced(path)


def test_the_comparison_can_fail(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(HEAD + textwrap.dedent(FORMS["plain attributes"]))
    (first, *_) = read([str(path)]).layers
    path.write_text(path.read_text().replace("relu", "tanh"))
    assert facts(first) != traced(path)["a.weight"]
