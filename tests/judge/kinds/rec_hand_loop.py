# expected: nothing | 2,6,16
import torch
from torch import nn


class Cell(nn.Module):
    def __init__(self, n=16, h=32):
        super().__init__()
        self.i2h = nn.Linear(n, h)
        self.h2h = nn.Linear(h, h)
        self.o = nn.Linear(h, 4)
        self.h = h

    def forward(self, x):
        h = torch.zeros(x.shape[0], self.h)
        for t in range(x.shape[1]):
            h = torch.tanh(self.i2h(x[:, t]) + self.h2h(h))
        return self.o(h)
