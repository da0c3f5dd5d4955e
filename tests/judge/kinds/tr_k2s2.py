# expected: nothing | 2,32,4,4
import math

from torch import nn


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList(nn.ConvTranspose2d(32, 32, 2, stride=2) for _ in range(4))
        self.out = nn.Conv2d(32, 3, 3, padding=1)
        for m in self.ups:
            nn.init.normal_(m.weight, std=math.sqrt(2 / 32))

    def forward(self, x):
        for m in self.ups:
            x = m(x).relu()
        return self.out(x)
