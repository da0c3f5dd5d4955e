# expected: nothing | 2,3,16,16
import torch
import torch.nn.functional as F
from torch import nn


class U(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = nn.Conv2d(3, 16, 3, padding=1)
        self.d2 = nn.Conv2d(16, 32, 3, padding=1)
        self.m = nn.Conv2d(32, 32, 3, padding=1)
        self.u2 = nn.Conv2d(64, 16, 3, padding=1)
        self.u1 = nn.Conv2d(32, 16, 3, padding=1)
        self.o = nn.Conv2d(16, 1, 1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        a = F.relu(self.d1(x))
        b = F.relu(self.d2(F.max_pool2d(a, 2)))
        m = F.relu(self.m(F.max_pool2d(b, 2)))
        y = F.relu(self.u2(torch.cat([F.interpolate(m, scale_factor=2), b], 1)))
        y = F.relu(self.u1(torch.cat([F.interpolate(y, scale_factor=2), a], 1)))
        return self.o(y)
