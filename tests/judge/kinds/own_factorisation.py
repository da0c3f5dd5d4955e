# expected: nothing | 4,30
import torch
from torch import nn


class Net(nn.Module):
    """Factorisation machine."""
    def __init__(self, n=30, k=4):
        super().__init__()
        self.linear = nn.Linear(n, 1)
        self.v = nn.Parameter(torch.randn(n, k) * 0.01)

    def forward(self, x):
        inter = 0.5 * ((x @ self.v).pow(2) - x.pow(2) @ self.v.pow(2)).sum(1, keepdim=True)
        return torch.sigmoid(self.linear(x) + inter)
