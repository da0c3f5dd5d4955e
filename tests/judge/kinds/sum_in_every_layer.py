# expected: nothing | 4,20,3
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """GIN-like: sum aggregation in each layer."""
    def __init__(self, d=32):
        super().__init__()
        self.enter = nn.Linear(3, d)
        self.mlps = nn.ModuleList([nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d)) for _ in range(3)])
        self.out = nn.Linear(d, 2)

    def forward(self, x):
        h = F.relu(self.enter(x))
        for mlp in self.mlps:
            h = F.relu(mlp(h + h.sum(1, keepdim=True)))
        return self.out(h.sum(1))
