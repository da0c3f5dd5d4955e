# expected: nothing | 2,5,8
import torch.nn.functional as F
from torch import nn


class IRNN(nn.Module):
    def __init__(self, n=8, h=32):
        super().__init__()
        self.x = nn.Linear(n, h)
        self.h = nn.Linear(h, h, bias=False)
        self.o = nn.Linear(h, 4)
        self.size = h
        nn.init.eye_(self.h.weight)

    def forward(self, x):
        s = x.new_zeros(x.shape[0], self.size)
        for t in range(x.shape[1]):
            s = F.relu(self.x(x[:, t]) + self.h(s))
        return self.o(s)
