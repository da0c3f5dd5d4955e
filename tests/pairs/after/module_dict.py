import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stems = nn.ModuleDict({
            "left": nn.Linear(16, 64),
            "right": nn.Linear(16, 64),
        })
        self.hidden = nn.ModuleDict({name: nn.Linear(64, 64) for name in ("left", "right")})
        self.head = nn.Linear(64, 1)
        for layer in self.hidden.values():
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x):
        a = torch.relu(self.hidden["left"](torch.relu(self.stems["left"](x))))
        b = torch.relu(self.hidden["right"](torch.relu(self.stems["right"](x))))
        return self.head(a + b)
