# expected: INIT305 | 4,16
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 64)
        self.o = nn.Linear(64, 1)
        nn.init.kaiming_normal_(self.a.weight, nonlinearity="relu")
        nn.init.normal_(self.o.weight, std=1.0)

    def forward(self, x):
        return torch.sigmoid(self.o(F.relu(self.a(x))))
