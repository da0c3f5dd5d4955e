# expected: nothing | 2,5,8
import torch
from torch import nn


class Cell(nn.Module):
    def __init__(self, n, h):
        super().__init__()
        self.f = nn.Linear(n + h, h)
        self.i = nn.Linear(n + h, h)
        self.o = nn.Linear(n + h, h)
        self.g = nn.Linear(n + h, h)

    def forward(self, x, state):
        h, c = state
        z = torch.cat([x, h], 1)
        c = torch.sigmoid(self.f(z)) * c + torch.sigmoid(self.i(z)) * torch.tanh(self.g(z))
        return torch.sigmoid(self.o(z)) * torch.tanh(c), c


class Net(nn.Module):
    def __init__(self, n=8, h=32):
        super().__init__()
        self.cell = Cell(n, h)
        self.out = nn.Linear(h, 4)
        self.h = h

    def forward(self, x):
        h = c = torch.zeros(x.shape[0], self.h)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], (h, c))
        return self.out(h)
