import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, depth=3, width=64):
        super().__init__()
        self.depth = depth
        for i in range(depth):
            setattr(self, f"fc{i}", nn.Linear(width, width))
            nn.init.kaiming_normal_(
                getattr(self, f"fc{i}").weight, mode="fan_in", nonlinearity="relu"
            )
            self.add_module("up%d" % i, nn.Linear(width, width))
            nn.init.kaiming_normal_(
                getattr(self, "up%d" % i).weight, mode="fan_in", nonlinearity="relu"
            )

    def forward(self, x):
        for i in range(self.depth):
            x = torch.relu(getattr(self, f"fc{i}")(x))
            x = torch.relu(getattr(self, "up%d" % i)(x))
        return x
