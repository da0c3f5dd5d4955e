# expected: nothing | 2,3,64,64
import torch
from torch import nn


class Net(nn.Module):
    """pix2pix-like U-Net with instance norm, std 0.02."""
    def __init__(self, c=16):
        super().__init__()
        def down(i, o, norm=True):
            return nn.Sequential(nn.Conv2d(i, o, 4, 2, 1, bias=False), *([nn.InstanceNorm2d(o)] if norm else []), nn.LeakyReLU(0.2))
        def up(i, o):
            return nn.Sequential(nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.InstanceNorm2d(o), nn.ReLU(inplace=True))
        self.d1, self.d2, self.d3 = down(3, c, False), down(c, 2 * c), down(2 * c, 4 * c)
        self.u1, self.u2 = up(4 * c, 2 * c), up(4 * c, c)
        self.final = nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(2 * c, 3, 4, padding=1), nn.Tanh())
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(m.weight, 0.0, 0.02)

    def forward(self, x):
        d1 = self.d1(x)
        d2 = self.d2(d1)
        d3 = self.d3(d2)
        u1 = torch.cat((self.u1(d3), d2), 1)
        u2 = torch.cat((self.u2(u1), d1), 1)
        return self.final(u2)
