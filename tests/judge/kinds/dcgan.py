# expected: nothing | 2,100,1,1
from torch import nn


class G(nn.Module):
    def __init__(self, z=100, f=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(z, f * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(f * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(f * 4, f * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(f * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(f * 2, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )
        self.apply(self.w)

    def w(self, m):
        if isinstance(m, nn.ConvTranspose2d):
            nn.init.normal_(m.weight, 0.0, 0.02)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1.0, 0.02)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.main(x)
