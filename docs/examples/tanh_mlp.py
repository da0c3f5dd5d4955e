"""A deep tanh MLP, its hidden layers made by a comprehension and left to PyTorch's default."""

import torch
from torch import nn


class TanhMLP(nn.Module):
    def __init__(self, inputs: int = 64, width: int = 128, depth: int = 20) -> None:
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth - 2)])
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.stem(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.head(x)
