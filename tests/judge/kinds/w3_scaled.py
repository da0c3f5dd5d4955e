# expected: INIT013 | int64[2,8]
import math

import torch.nn.functional as F
from torch import nn


class FF(nn.Module):
    def __init__(self, d, h, layers):
        super().__init__()
        self.n = nn.RMSNorm(d)
        self.gate = nn.Linear(d, h, bias=False)
        self.up = nn.Linear(d, h, bias=False)
        self.down = nn.Linear(h, d, bias=False)
        nn.init.trunc_normal_(self.gate.weight, std=0.02)
        nn.init.trunc_normal_(self.up.weight, std=0.02 / math.sqrt(2 * layers))
        nn.init.trunc_normal_(self.down.weight, std=0.02 / math.sqrt(2 * layers))

    def forward(self, x):
        h = self.n(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Net(nn.Module):
    def __init__(self, d=256, layers=12):
        super().__init__()
        self.e = nn.Embedding(100, d)
        self.l = nn.ModuleList(FF(d, 4 * d, layers) for _ in range(layers))
        self.n = nn.RMSNorm(d)
        self.o = nn.Linear(d, 100)

    def forward(self, i):
        x = self.e(i)
        for l in self.l:
            x = l(x)
        return self.o(self.n(x))
