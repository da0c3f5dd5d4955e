# expected: INIT013 | int64
import math

import torch.nn.functional as F
from torch import nn


class Mlp(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        nn.init.normal_(self.up.weight, std=0.02 / math.sqrt(2 * n))
        nn.init.normal_(self.down.weight, std=0.02)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Net(nn.Module):
    def __init__(self, v=100, d=64, n=12):
        super().__init__()
        self.embed = nn.Embedding(v, d)
        self.layers = nn.ModuleList([Mlp(d, n) for _ in range(n)])
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, v)

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))
