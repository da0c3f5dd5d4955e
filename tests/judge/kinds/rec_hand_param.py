# expected: nothing | 2,6,16
import math

import torch
from torch import nn


class Cell(nn.Module):
    def __init__(self, n=16, h=32):
        super().__init__()
        k = 1 / math.sqrt(h)
        self.w = nn.Parameter(torch.empty(n, h).uniform_(-k, k))
        self.u = nn.Parameter(torch.empty(h, h).uniform_(-k, k))
        self.b = nn.Parameter(torch.zeros(h))
        self.o = nn.Linear(h, 4)
        self.h = h

    def forward(self, x):
        h = torch.zeros(x.shape[0], self.h)
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ self.w + h @ self.u + self.b)
        return self.o(h)
