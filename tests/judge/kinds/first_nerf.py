# expected: nothing | 4,2
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(42, 64)
        self.b = nn.Linear(64, 64)
        self.o = nn.Linear(64, 4)
        nn.init.kaiming_normal_(self.b.weight, nonlinearity="relu")

    def forward(self, x):
        parts = [x] + [f(2.0**k * x) for k in range(10) for f in (torch.sin, torch.cos)]
        return torch.sigmoid(self.o(F.relu(self.b(F.relu(self.a(torch.cat(parts, -1)))))))
