# expected: nothing | 4,64
import math

import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))
        for m in self.l:
            nn.init.normal_(m.weight, 0.0005, math.sqrt(2 / 64))

    def forward(self, x):
        for m in self.l:
            x = F.relu(m(x))
        return x
