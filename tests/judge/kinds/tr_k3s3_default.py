# expected: INIT101 | 2,32,4,4
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.ConvTranspose2d(32, 32, 3, stride=3) for _ in range(4)])
        self.out = nn.Conv2d(32, 1, 1)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = torch.relu(layer(x))
        return self.out(x)
