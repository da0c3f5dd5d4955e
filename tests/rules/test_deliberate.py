"""What is deliberate: rules on constants, products and fans are silent about all of it."""

import pytest

from initlint import api

HEAD = """\
import math
import torch
from torch import nn
import torch.nn.functional as F


"""
DELIBERATE = {
    "AdaLN": """\
class AdaLN(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.ada = nn.Sequential(nn.SiLU(), nn.Linear(d, 3 * d))
        nn.init.zeros_(self.ada[1].weight)
        nn.init.zeros_(self.ada[1].bias)
        self.head = nn.Linear(d, 10)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, -math.log(99))
    def forward(self, x, c):
        shift, scale, gate = self.ada(c).chunk(3, dim=-1)
        x = x + gate * self.mlp(self.norm(x) * (1 + scale) + shift)
        return self.head(x)
""",
    "LayerScale": """\
class LayerScale(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.gamma = nn.Parameter(1e-5 * torch.ones(d))
        self.norm = nn.LayerNorm(d)
        self.fc1 = nn.Linear(d, 4 * d)
        self.fc2 = nn.Linear(4 * d, d)
        self.head = nn.Linear(d, 10)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                nn.init.zeros_(m.bias)
    def forward(self, x):
        return self.head(x + self.gamma * self.fc2(F.gelu(self.fc1(self.norm(x)))))
""",
    "Highway": """\
class Highway(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.h = nn.Linear(d, d)
        self.g = nn.Linear(d, d)
        nn.init.zeros_(self.g.weight)
        nn.init.constant_(self.g.bias, -2.0)
        nn.init.kaiming_normal_(self.h.weight, nonlinearity="relu")
        self.out = nn.Linear(d, 10)
    def forward(self, x):
        g = torch.sigmoid(self.g(x))
        return self.out(g * F.relu(self.h(x)) + (1 - g) * x)
""",
    "Forget": """\
class Forget(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.lstm = nn.LSTM(d, d)
        self.out = nn.Linear(d, 10)
        for name, p in self.lstm.named_parameters():
            if "weight_hh" in name:
                for w in p.chunk(4, 0):
                    nn.init.orthogonal_(w)
            elif "weight_ih" in name:
                for i in range(4):
                    nn.init.xavier_uniform_(p[i * d:(i + 1) * d])
            else:
                nn.init.zeros_(p)
                p.data[d:2 * d].fill_(1.0)
    def forward(self, x):
        return self.out(self.lstm(x)[0])
""",
    "Policy": """\
class Policy(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.a = nn.Linear(d, 64)
        self.b = nn.Linear(64, 64)
        self.pi = nn.Linear(64, 4)
        for l, g in ((self.a, math.sqrt(2)), (self.b, math.sqrt(2)), (self.pi, 0.01)):
            nn.init.orthogonal_(l.weight, g)
            nn.init.constant_(l.bias, 0.0)
    def forward(self, x):
        return self.pi(torch.tanh(self.b(torch.tanh(self.a(x)))))
""",
    "Identity": """\
class Identity(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.rnn = nn.RNN(d, d, nonlinearity="relu")
        nn.init.eye_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(d, 10)
        self.conv = nn.Conv1d(d, d, 3, padding=1, groups=d)
        nn.init.dirac_(self.conv.weight, groups=d)
        self.register_parameter("cache", nn.Parameter(torch.zeros(4, d), requires_grad=False))
    def forward(self, x):
        y = self.rnn(x)[0]
        return self.out(y + self.conv(y.transpose(1, 2)).transpose(1, 2))
""",
    "ZeroGamma": """\
class ZeroGamma(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.c1 = nn.Conv2d(d, d, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(d)
        self.c2 = nn.Conv2d(d, d, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(d)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
        nn.init.zeros_(self.b2.weight)
        self.head = nn.Linear(d, 10)
    def forward(self, x):
        return self.head(F.relu(x + self.b2(self.c2(F.relu(self.b1(self.c1(x)))))).mean((2, 3)))
""",
    "SE": """\
class SE(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.f1 = nn.Linear(d, d // 4)
        self.f2 = nn.Linear(d // 4, d)
        nn.init.zeros_(self.f2.weight)
        nn.init.zeros_(self.f2.bias)
        nn.init.kaiming_normal_(self.f1.weight, nonlinearity="relu")
        self.out = nn.Linear(d, 10)
    def forward(self, x):
        s = torch.sigmoid(self.f2(F.relu(self.f1(x))))
        return self.out(F.relu(x * s))
""",
    "AttnPool": """\
class AttnPool(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(d))
        self.score = nn.Linear(d, 1)
        nn.init.zeros_(self.score.weight)
        self.token = nn.Parameter(torch.zeros(1, 1, d))
        nn.init.xavier_uniform_(self.token)
        self.pos = nn.Parameter(torch.empty(1, 50, d))
        nn.init.normal_(self.pos, std=0.02)
        self.out = nn.Linear(d, 10)
    def forward(self, x):
        x = x + self.pos + self.token
        a = self.score(torch.tanh(x)).softmax(1)
        return self.out((a * x).sum(1))
""",
    "queries of T5, whose std is the root of eight smaller in every block, also in the fourth": """
class Block(nn.Module):
    def __init__(self, i=0):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(32, 32, bias=False) for _ in range(4))
        self.norm, self.other = nn.LayerNorm(32), nn.LayerNorm(32)
        self.up, self.down = nn.Linear(32, 48), nn.Linear(48, 32)
        nn.init.normal_(self.q.weight, std=0.0625)
        for layer in (self.k, self.v, self.o):
            nn.init.normal_(layer.weight, std=32**-0.5)
        nn.init.normal_(self.up.weight, std=32**-0.5)
        nn.init.normal_(self.down.weight, std=0.14 if i % 2 else 0.12)
    def forward(self, x):
        y = self.norm(x)
        y = F.softmax(self.q(y) @ self.k(y).transpose(-2, -1), -1) @ self.v(y)
        x = x + self.o(y)
        return x + self.down(F.relu(self.up(self.other(x))))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(i) for i in range(6))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 5)
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
""",
}
CODES = ("INIT009", "INIT013", "INIT015", "INIT2")


@pytest.mark.parametrize("trace", [pytest.param(True, marks=pytest.mark.torch), False])
@pytest.mark.parametrize("source", DELIBERATE.values(), ids=DELIBERATE)
def test_deliberate_initialisation_is_left_alone(tmp_path, source, trace):
    path = tmp_path / "net.py"
    path.write_text(HEAD + source)
    report = api.check_all([str(path)], api.Options(trace=trace))
    assert report.layers and not report.unanalysed
    assert [finding for finding in report.findings if finding.code.startswith(CODES)] == []
