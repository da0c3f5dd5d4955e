import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.w1 = nn.Parameter(nn.init.kaiming_normal_(
            torch.empty(32, width), mode="fan_out", nonlinearity="relu"
        ))
        self.w2 = nn.Parameter(nn.init.kaiming_normal_(
            torch.empty(width, width), mode="fan_in", nonlinearity="relu"
        ))
        self.w3 = nn.Parameter(torch.empty(width, width))
        self.head = nn.Linear(width, 2)
        nn.init.kaiming_normal_(self.w3, mode="fan_in", nonlinearity="relu")

    def forward(self, x):
        x = torch.relu(x @ self.w1)
        x = torch.relu(x @ self.w2)
        x = torch.relu(x @ self.w3)
        return self.head(x)
