# expected: INIT101 | 2,3,16,16
import torch.nn.functional as F
from torch import nn


class Dense(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c1 = nn.Conv2d(c, c, 3, 1, 1)
        self.c2 = nn.Conv2d(c, c, 3, 1, 1)

    def forward(self, x):
        out = self.c2(F.relu(self.c1(x))) * 0.1
        return out + x


class Net(nn.Module):
    """EDSR with three plain tail layers."""
    def __init__(self, c=24):
        super().__init__()
        self.head = nn.Conv2d(3, c, 3, 1, 1)
        self.body = nn.ModuleList([Dense(c) for _ in range(6)])
        self.t1 = nn.Conv2d(c, c, 3, 1, 1)
        self.t2 = nn.Conv2d(c, c, 3, 1, 1)
        self.t3 = nn.Conv2d(c, c, 3, 1, 1)
        self.out = nn.Conv2d(c, 3, 3, 1, 1)

    def forward(self, x):
        x = self.head(x)
        for b in self.body:
            x = b(x)
        x = F.relu(self.t1(x), inplace=True)
        x = F.relu(self.t2(x), inplace=True)
        x = F.relu(self.t3(x), inplace=True)
        return self.out(x)
