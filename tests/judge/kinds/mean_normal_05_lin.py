# expected: INIT106 | 4,32
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(32, 32), nn.ReLU())])
        self.o = nn.Linear(32, 1)
        for m in self.l:
            if hasattr(m, "weight"):
                nn.init.normal_(m.weight, 0.5, 0.17)

    def forward(self, x):
        return self.o(self.l(x))
