# expected: INIT106 | 4,2
import math

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.ModuleList([nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
        self.o = nn.Linear(64, 1)
        for m in self.l:
            b = math.sqrt(6 / m.in_features) / 30
            nn.init.uniform_(m.weight, -b, b)

    def forward(self, x):
        for m in self.l:
            x = torch.sin(30.0 * m(x))
        return self.o(x)
