# expected: nothing | int64[2,8]
import math

import torch.nn.functional as F
from torch import nn


class MLP(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n = nn.LayerNorm(d)
        self.fc = nn.Linear(d, 4 * d)
        self.c_proj = nn.Linear(4 * d, d)

    def forward(self, x):
        return x + self.c_proj(F.gelu(self.fc(self.n(x))))


class M(nn.Module):
    def __init__(self, d=64, L=6, V=100):
        super().__init__()
        self.e = nn.Embedding(V, d)
        self.b = nn.ModuleList(MLP(d) for _ in range(L))
        self.n = nn.LayerNorm(d)
        self.h = nn.Linear(d, V, bias=False)
        self.h.weight = self.e.weight
        nn.init.normal_(self.e.weight, std=0.02)
        for b in self.b:
            nn.init.normal_(b.fc.weight, std=d**-0.5)
            nn.init.normal_(b.c_proj.weight, std=(4 * d) ** -0.5 / math.sqrt(2 * L))

    def forward(self, i):
        x = self.e(i)
        for b in self.b:
            x = b(x)
        return self.h(self.n(x))
