# expected: INIT101 | 2,16,8,8
import torch
import torch.nn.functional as F
from torch import nn


class D(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.ModuleList(nn.Conv2d(16 + 8 * i, 8, 3, padding=1) for i in range(6))
        self.o = nn.Linear(64, 10)

    def forward(self, x):
        for c in self.c:
            x = torch.cat([x, F.relu(c(x))], 1)
        return self.o(x.mean((2, 3)))
