"""Two nets with a finding each, for the tests in tests/hostile."""

# INIT101 at `fc`.
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.before = nn.Linear(16, 8)
        self.fc = nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.fc(self.before(x)))
"""

# INIT101 at `first`.
DEEPER = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__(); self.before = nn.Linear(16, 8)
        self.first = nn.Linear(8, 8)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.first(self.before(x)).relu())
"""
