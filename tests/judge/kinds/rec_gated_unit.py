# expected: nothing | 2,7,20
import torch
from torch import nn


class MinimalGatedUnit(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.wf, self.uf = nn.Linear(d, h), nn.Linear(h, h, bias=False)
        self.wh, self.uh = nn.Linear(d, h), nn.Linear(h, h, bias=False)

    def forward(self, x, h):
        f = torch.sigmoid(self.wf(x) + self.uf(h))
        cand = torch.tanh(self.wh(x) + self.uh(f * h))
        return (1 - f) * h + f * cand


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = MinimalGatedUnit(20, 32)
        self.out = nn.Linear(32, 3)

    def forward(self, x):
        h = torch.zeros(x.size(0), 32)
        for t in range(x.size(1)):
            h = self.cell(x[:, t, :], h)
        return self.out(h)
