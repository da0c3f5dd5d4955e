import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        shared = self.v = nn.Linear(width, width)
        self.out: nn.Linear = nn.Linear(width, 1)
        self.width = shared.in_features
        nn.init.kaiming_normal_(self.k.weight, mode="fan_in", nonlinearity="relu")
        nn.init.kaiming_normal_(self.v.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x):
        return self.out(torch.relu(self.v(torch.relu(self.k(torch.relu(self.q(x)))))))
