# expected: nothing | 2,6,16
import torch
from torch import nn


class Cell(nn.Module):
    def __init__(self, n=16, h=32):
        super().__init__()
        self.both = nn.Linear(n + h, h)
        self.o = nn.Linear(h, 4)
        self.h = h

    def forward(self, x):
        h = x.new_zeros(x.size(0), self.h)
        for step in x.unbind(1):
            h = torch.tanh(self.both(torch.cat([step, h], 1)))
        return self.o(h)
