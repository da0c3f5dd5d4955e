# expected: nothing | 4,30
import torch
from torch import nn


class Net(nn.Module):
    """Multi-label: one sigmoid head each."""
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(30, 1) for _ in range(5)])

    def forward(self, x):
        return torch.cat([h(x).sigmoid() for h in self.heads], dim=1)
