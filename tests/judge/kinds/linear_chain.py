# expected: INIT301 | 4,64
from torch import nn


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Sequential(*[nn.Linear(64, 64) for _ in range(12)])
        self.o = nn.Linear(64, 10)

    def forward(self, x):
        return self.o(self.l(x))
