# expected: nothing | 4,64
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(64, 8)
        self.b = nn.Linear(8, 64)
        self.o = nn.Linear(64, 10)

    def forward(self, x):
        return self.o(self.b(self.a(x)))
