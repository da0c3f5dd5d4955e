import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(32, width) * 0.01)
        self.w2 = nn.Parameter(nn.init.normal_(torch.empty(width, width), std=0.01))
        self.w3 = nn.Parameter(torch.empty(width, width))
        self.head = nn.Linear(width, 2)
        nn.init.normal_(self.w3, std=1.0)

    def forward(self, x):
        x = torch.relu(x @ self.w1)
        x = torch.relu(x @ self.w2)
        x = torch.relu(x @ self.w3)
        return self.head(x)
