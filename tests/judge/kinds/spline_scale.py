# expected: INIT105 | 4,64
import math

import torch
import torch.nn.functional as F
from torch import nn


class Spline(nn.Module):
    def __init__(self, i, o, gain=8.0):
        super().__init__()
        self.base = nn.Parameter(torch.Tensor(o, i))
        self.scale = gain
        self.reset()

    def reset(self):
        torch.nn.init.kaiming_uniform_(self.base, a=math.sqrt(5) * self.scale)

    def forward(self, x):
        return F.linear(F.silu(x), self.base)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Spline(64, 64) for _ in range(5)])
        self.head = nn.Linear(64, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
