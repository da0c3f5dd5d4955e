# expected: nothing | 4,16
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 64)
        self.o = nn.Linear(64, 4)

    def forward(self, x):
        return self.o(F.relu(self.a(x)))
