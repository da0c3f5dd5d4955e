# expected: INIT106 | 4,64
import torch
from torch import nn


class Net(nn.Module):
    """U(0, 1) everywhere, the last layer gives a regression."""
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 1)
        for m in (self.a, self.b, self.c):
            nn.init.uniform_(m.weight)

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))
