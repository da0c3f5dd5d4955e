# expected: nothing | 2,4,3,8,8
import torch
from torch import nn


class ConvRNN(nn.Module):
    def __init__(self, c=3, h=16):
        super().__init__()
        self.x = nn.Conv2d(c, h, 3, padding=1)
        self.h = nn.Conv2d(h, h, 3, padding=1)
        self.o = nn.Conv2d(h, 1, 1)

    def forward(self, x):
        s = 0
        for t in range(x.shape[1]):
            s = torch.tanh(self.x(x[:, t]) + (self.h(s) if t else 0))
        return self.o(s)
