# expected: INIT302 INIT305 | 4,64
from torch import nn


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Sequential(*[nn.Linear(64, 64) for _ in range(5)])
        for m in self.l:
            nn.init.normal_(m.weight)

    def forward(self, x):
        return self.l(x)
