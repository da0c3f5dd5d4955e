# expected: nothing | 2,16,12,12
import torch.nn.functional as F
from torch import nn


class WS(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        w = w - w.mean(dim=(1, 2, 3), keepdim=True)
        w = w / (w.std(dim=(1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Sequential(
            *[m for _ in range(6) for m in (WS(16, 16, 3, padding=1), nn.ReLU())]
        )

    def forward(self, x):
        return self.l(x)
