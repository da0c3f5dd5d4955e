# expected: INIT103 | 4,64
import torch
from torch import nn


class T(nn.Module):
    def __init__(self, depth=20):
        super().__init__()
        self.l = nn.ModuleList([nn.Linear(64, 64) for _ in range(depth)])
        self.o = nn.Linear(64, 10)

    def forward(self, x):
        for l in self.l:
            x = torch.tanh(l(x))
        return self.o(x)
