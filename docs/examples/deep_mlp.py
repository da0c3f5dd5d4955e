"""Twenty linear layers with ReLU for 8×8 digits, left to PyTorch's default initialisation."""

import torch
from torch import nn


class DeepMLP(nn.Module):
    def __init__(self, width: int = 128, depth: int = 20) -> None:
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth - 2)])
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)
