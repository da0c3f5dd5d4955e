# expected: nothing | 2,5,3,16,16
import torch
from torch import nn


class ConvLSTMCell(nn.Module):
    def __init__(self, c, h, k=3):
        super().__init__()
        self.h = h
        self.gates = nn.Conv2d(c + h, 4 * h, k, padding=k // 2)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = torch.split(self.gates(torch.cat([x, h], dim=1)), self.h, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = ConvLSTMCell(3, 8)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        h = torch.zeros(x.size(0), 8, x.size(3), x.size(4))
        c = torch.zeros(x.size(0), 8, x.size(3), x.size(4))
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
        return self.head(h)
