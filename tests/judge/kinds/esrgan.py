# expected: nothing | 2,3,8,8
import torch
import torch.nn.functional as F
from torch import nn


class RDB(nn.Module):
    def __init__(self, n=32, g=16):
        super().__init__()
        self.c = nn.ModuleList(nn.Conv2d(n + g * i, g if i < 4 else n, 3, 1, 1) for i in range(5))
        for c in self.c:
            nn.init.kaiming_normal_(c.weight)
            c.weight.data *= 0.1

    def forward(self, x):
        parts = [x]
        for c in self.c[:-1]:
            parts.append(F.leaky_relu(c(torch.cat(parts, 1)), 0.2))
        return self.c[-1](torch.cat(parts, 1)) * 0.2 + x


class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, 1, 1)
        self.body = nn.Sequential(*[RDB() for _ in range(6)])
        self.last = nn.Conv2d(32, 3, 3, 1, 1)

    def forward(self, x):
        f = self.first(x)
        return self.last(f + self.body(f))
