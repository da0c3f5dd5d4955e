# expected: INIT106 | 4,64
import torch
from torch import nn


class Net(nn.Module):
    """rand instead of randn."""
    def __init__(self):
        super().__init__()
        self.ws = nn.ParameterList([nn.Parameter(torch.rand(64, 64)) for _ in range(4)])
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        for w in self.ws:
            x = torch.relu(x @ w)
        return self.last(x)
