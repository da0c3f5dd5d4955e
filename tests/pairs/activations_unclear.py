import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, rectify):
        super().__init__()
        self.rectify = rectify
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        x = self.fc(x)
        return torch.relu(x) if self.rectify else torch.tanh(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = Block(64, True)
        self.b = Block(64, False)
        self.c = Block(64, True)

    def forward(self, x):
        return self.c(self.b(self.a(x)))
