"""A CNN for 8×8 digits: a small std by hand in its convolutions, PyTorch's default elsewhere."""

import torch
from torch import nn


class CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.convs = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1) for _ in range(6)])
        self.hidden = nn.ModuleList([nn.Linear(256, 256) for _ in range(3)])
        self.head = nn.Linear(256, 10)
        for conv in self.convs:
            nn.init.normal_(conv.weight, 0, 0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for conv in self.convs:
            x = torch.relu(conv(x))
        x = torch.max_pool2d(x, 2).flatten(1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)
