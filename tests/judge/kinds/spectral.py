# expected: nothing | 2,3,32,32
from torch import nn


class D(nn.Module):
    def __init__(self):
        super().__init__()
        sn = nn.utils.spectral_norm
        self.l = nn.Sequential(
            sn(nn.Conv2d(3, 16, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            sn(nn.Conv2d(16, 32, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            sn(nn.Conv2d(32, 64, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            sn(nn.Conv2d(64, 1, 4)),
        )

    def forward(self, x):
        return self.l(x)
