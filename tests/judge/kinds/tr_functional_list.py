# expected: nothing | 2,32,4,4
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Functional, weights in a ParameterList."""
    def __init__(self):
        super().__init__()
        std = (2 / (32 * 3 * 3 / 4)) ** 0.5
        self.ws = nn.ParameterList([nn.Parameter(torch.randn(32, 32, 3, 3) * std) for _ in range(4)])

    def forward(self, x):
        for w in self.ws:
            x = F.relu(F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1))
        return x
